//! The stub's three endpoints and its faults.
//! The client that uses it is the engine's.

use serde_json::{Value, json};

use super::*;

fn stub(faults: Option<Faults>) -> Stub {
    Stub {
        transcription_after: Duration::ZERO,
        token_after: Duration::ZERO,
        speech_after: Duration::ZERO,
        transcript: "opening hours".to_owned(),
        reply: None,
        tool: None,
        faults,
    }
}

fn fault(fault: Fault, stage: Stage) -> Option<Faults> {
    Some(Faults::new(fault, stage, 1, Duration::ZERO))
}

/// Serves a stub for as long as the test runs, and returns its base URL.
async fn start(stub: Stub) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, stub, std::future::pending()));
    format!("http://{address}/v1")
}

async fn post(base: &str, path: &str, body: Value) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.post(format!("{base}{path}")).json(&body).send().await.unwrap()
}

async fn transcribe(base: &str) -> reqwest::Response {
    let form = reqwest::multipart::Form::new()
        .text("model", "stub")
        .part("file", reqwest::multipart::Part::bytes(vec![0; 100]).file_name("a.wav"));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.post(format!("{base}/audio/transcriptions")).multipart(form).send().await.unwrap()
}

fn question() -> Value {
    json!({"model": "m", "stream": true, "messages": [
        {"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}]})
}

#[tokio::test]
async fn any_audio_is_transcribed_as_configured() {
    let base = start(stub(None)).await;
    let answer: Value = transcribe(&base).await.json().await.unwrap();
    assert_eq!(answer, json!({"text": "opening hours"}));
}

#[tokio::test]
async fn an_answer_streams_the_users_words_and_ends_with_done() {
    let base = start(stub(None)).await;
    let text = post(&base, "/chat/completions", question()).await.text().await.unwrap();
    let words: String = text
        .split("\n\n")
        .filter_map(|event| serde_json::from_str::<Value>(event.strip_prefix("data: ")?).ok())
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert!(words.starts_with("You said hello."), "{words}");
    assert!(text.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_tool_that_is_offered_is_called_in_pieces_and_its_result_is_told() {
    let tool = Some(StubCall { name: "lookup".to_owned(), arguments: r#"{"order":42}"#.to_owned() });
    let base = start(Stub { tool, ..stub(None) }).await;
    let mut request = question();
    let plain = post(&base, "/chat/completions", request.clone()).await.text().await.unwrap();
    assert!(!plain.contains("tool_calls"), "what is not offered is not called: {plain}");
    request["tools"] = json!([{"type": "function", "function": {"name": "lookup"}}]);
    let text = post(&base, "/chat/completions", request.clone()).await.text().await.unwrap();
    let arguments: String = text
        .split("\n\n")
        .filter_map(|event| serde_json::from_str::<Value>(event.strip_prefix("data: ")?).ok())
        .filter_map(|event| {
            event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str().map(str::to_owned)
        })
        .collect();
    assert_eq!(arguments, r#"{"order":42}"#);
    let messages = request["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "tool", "tool_call_id": "call_stub", "content": "shipped"}));
    let text = post(&base, "/chat/completions", request).await.text().await.unwrap();
    assert!(text.contains("shipped.") && !text.contains("tool_calls"), "{text}");
}

#[tokio::test]
async fn speech_is_as_long_as_its_text_takes_to_say() {
    let base = start(stub(None)).await;
    let body = json!({"model": "m", "voice": "v", "input": "ten chars.", "response_format": "pcm"});
    let pcm = post(&base, "/audio/speech", body).await.bytes().await.unwrap();
    assert_eq!(pcm.len(), 600 * 24 * 2);
    assert!(pcm.iter().any(|&byte| byte != 0));
}

#[tokio::test]
async fn faults_hit_their_stage_only() {
    let base = start(stub(fault(Fault::ServerError, Stage::Tts))).await;
    assert_eq!(post(&base, "/audio/speech", json!({"input": "a"})).await.status(), 500);
    assert!(transcribe(&base).await.status().is_success());
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back() {
    let base = start(stub(fault(Fault::RateLimit, Stage::Chat))).await;
    let response = post(&base, "/chat/completions", question()).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "1");
}

#[tokio::test]
async fn a_cut_answer_begins_and_breaks_off() {
    for stage in [Stage::Stt, Stage::Chat, Stage::Tts] {
        let base = start(stub(fault(Fault::Cut, stage))).await;
        let mut response = match stage {
            Stage::Stt => transcribe(&base).await,
            Stage::Chat => post(&base, "/chat/completions", question()).await,
            Stage::Tts => post(&base, "/audio/speech", json!({"input": "a long enough text"})).await,
        };
        assert!(response.status().is_success(), "{stage:?}");
        assert!(response.chunk().await.unwrap().is_some(), "{stage:?}");
        let rest = loop {
            match response.chunk().await {
                Ok(Some(_)) => {}
                end => break end,
            }
        };
        assert!(rest.is_err(), "{stage:?}");
    }
}

#[tokio::test]
async fn only_every_nth_request_goes_wrong() {
    let faults = Some(Faults::new(Fault::ServerError, Stage::Stt, 3, Duration::ZERO));
    let base = start(stub(faults)).await;
    let mut refused = Vec::new();
    for _ in 0..6 {
        refused.push(transcribe(&base).await.status() == 500);
    }
    assert_eq!(refused, [true, false, false, true, false, false]);
}
