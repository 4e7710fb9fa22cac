//! What is tried once more, and what is not.
//! The same for all three stages: the request is not looked at.

use std::sync::Arc;

use std::time::Duration;

use bytes::Bytes;
use engine::speech::openai::{OpenAiClient, OpenAiConfig};
use engine::speech::{ChatMessage, Responder, SpeechError, Synthesizer, Transcriber};
use futures::StreamExt;
use serde_json::json;

use crate::fake::{End, Fake, Reply, events, json_reply};
use crate::{client, patient};

fn refusal(status: u16, retry_after: Option<&'static str>) -> Reply {
    let body = json!({ "error": { "message": format!("no, {status}") } });
    Reply::Whole(status, retry_after, "application/json", body.to_string())
}

fn understood() -> Reply {
    json_reply(json!({ "text": "yes" }))
}

async fn transcribe(client: &OpenAiClient) -> Result<String, SpeechError> {
    client.transcribe(vec![0; 800]).await
}

fn refused(fake: &Fake, status: u16) -> Result<String, SpeechError> {
    let message = format!("no, {status}");
    Err(SpeechError::Refused {
        stage: edge_protocol::SpeechStage::Transcription,
        base_url: fake.base_url.clone(),
        status,
        message,
    })
}

#[tokio::test]
async fn a_server_error_is_tried_once_more_with_the_same_request() {
    for status in [500, 502, 503] {
        let fake = Fake::start([refusal(status, None), understood()]).await;
        assert_eq!(transcribe(&client(&fake.base_url, patient())).await.as_deref(), Ok("yes"));
        let lengths: Vec<usize> = fake.seen().iter().map(|request| request.body.len()).collect();
        assert_eq!(lengths.len(), 2);
        assert_eq!(lengths[0], lengths[1]);
    }
}

#[tokio::test]
async fn a_second_server_error_is_the_end() {
    let fake = Fake::start([refusal(500, None), refusal(503, None)]).await;
    assert_eq!(transcribe(&client(&fake.base_url, patient())).await, refused(&fake, 503));
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn too_many_requests_is_tried_again_only_if_the_provider_says_soon() {
    let fake = Fake::start([refusal(429, Some("0")), understood()]).await;
    assert_eq!(transcribe(&client(&fake.base_url, patient())).await.as_deref(), Ok("yes"));

    for retry_after in [None, Some("30"), Some("Wed, 21 Oct 2026 07:28:00 GMT")] {
        let fake = Fake::start([refusal(429, retry_after)]).await;
        assert_eq!(transcribe(&client(&fake.base_url, patient())).await, refused(&fake, 429));
        assert_eq!(fake.seen().len(), 1);
    }
}

#[tokio::test]
async fn where_another_provider_could_serve_a_retry_after_is_waited_for_less_long() {
    let fake = Fake::start([refusal(429, Some("1"))]).await;
    let config = OpenAiConfig {
        base_url: fake.base_url.clone(),
        longest_retry_after: Duration::from_millis(100),
        ..OpenAiConfig::default()
    };
    let client = OpenAiClient::new(config).expect("a valid configuration");
    assert_eq!(transcribe(&client).await, refused(&fake, 429));
}

#[tokio::test]
async fn our_own_mistakes_are_not_repeated() {
    for status in [400, 401, 403, 404, 422] {
        let fake = Fake::start([refusal(status, Some("0"))]).await;
        assert_eq!(transcribe(&client(&fake.base_url, patient())).await, refused(&fake, status));
    }
}

#[tokio::test]
async fn an_error_that_is_no_json_is_told_in_its_own_words() {
    let page = || Reply::Whole(502, None, "text/html", format!("<h1>Bad gateway</h1>{}", "x".repeat(5000)));
    let fake = Fake::start([page(), page()]).await;
    match transcribe(&client(&fake.base_url, patient())).await {
        Err(SpeechError::Refused { status: 502, message, .. }) => {
            assert!(message.starts_with("<h1>Bad gateway</h1>") && message.len() < 300, "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn chat_and_speech_are_tried_once_more_too() {
    let done = json!({ "choices": [{ "delta": { "content": "Yes." }, "finish_reason": "stop" }] });
    let fake = Fake::start([
        refusal(500, None),
        Reply::Stream("text/event-stream", events(&[done]), End::Proper),
        refusal(500, None),
        Reply::Stream("audio/pcm", vec![Bytes::from_static(&[1, 0])], End::Proper),
    ])
    .await;
    let client = client(&fake.base_url, patient());
    let question = vec![ChatMessage::User("Open?".to_owned())];
    assert_eq!(client.respond(question, Arc::default()).await.expect("an answer").count().await, 1);
    assert_eq!(client.speak(None, "Yes.".to_owned()).await.expect("a voice").pcm.count().await, 1);
    assert_eq!(fake.seen().len(), 4);
}

#[tokio::test]
async fn nothing_is_tried_again_once_the_answer_has_begun() {
    let fake = Fake::start([Reply::Stream("audio/pcm", vec![Bytes::from_static(&[1, 0])], End::CutOff)]).await;
    let voice = client(&fake.base_url, patient()).speak(None, "Yes.".to_owned()).await.expect("a voice");
    let chunks: Vec<_> = voice.pcm.collect().await;
    assert!(matches!(chunks[..], [Ok(_), Err(SpeechError::CutOff { .. })]), "{chunks:?}");
    assert_eq!(fake.seen().len(), 1);
}
