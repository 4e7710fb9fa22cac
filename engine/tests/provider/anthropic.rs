//! Anthropic's Messages API, streamed, and the ways it can fail before and in the middle of an answer.
//! What its requests are made of is tested beside the client.

use std::sync::Arc;

use bytes::Bytes;
use edge_protocol::SpeechStage;
use engine::speech::anthropic::{AnthropicClient, AnthropicConfig};
use engine::speech::openai::{Secret, Timeouts};
use engine::speech::{ChatDelta, ChatMessage, Responder, SpeechError, Tokens, ToolCall, ToolDefinition};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::fake::{End, Fake, Reply};
use crate::{SHORT, patient};

/// Events as the API sends them, each with its type as its name too.
fn events(values: &[Value]) -> Vec<Bytes> {
    values.iter().map(|v| Bytes::from(format!("event: {}\ndata: {v}\n\n", v["type"].as_str().unwrap()))).collect()
}

fn sse(values: &[Value], end: End) -> Reply {
    Reply::Stream("text/event-stream; charset=utf-8", events(values), end)
}

fn start() -> Value {
    let usage = json!({ "input_tokens": 20, "output_tokens": 1 });
    json!({ "type": "message_start", "message": { "id": "msg_1", "role": "assistant", "content": [], "usage": usage } })
}

fn text(text: &str) -> Value {
    json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } })
}

fn block(index: u32, block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn block_stop(index: u32) -> Value {
    json!({ "type": "content_block_stop", "index": index })
}

fn stop() -> [Value; 2] {
    let delta = json!({ "stop_reason": "end_turn", "stop_sequence": null });
    [
        json!({ "type": "message_delta", "delta": delta, "usage": { "output_tokens": 7 } }),
        json!({ "type": "message_stop" }),
    ]
}

async fn answer(fake: &Fake, timeouts: Timeouts) -> Vec<Result<ChatDelta, SpeechError>> {
    let base_url = fake.base_url.trim_end_matches("/v1").to_owned();
    let config =
        AnthropicConfig { base_url, api_key: Some(Secret::new("sk-ant")), timeouts, ..AnthropicConfig::default() };
    let client = AnthropicClient::new(config).expect("a valid configuration");
    let tool = ToolDefinition {
        name: "hang_up".to_owned(),
        description: "Ends the call.".to_owned(),
        parameters: json!({ "type": "object" }),
    };
    let question = vec![ChatMessage::System("Be brief.".to_owned()), ChatMessage::User("Open?".to_owned())];
    match client.respond(question, Arc::from([tool])).await {
        Ok(stream) => stream.collect().await,
        Err(error) => vec![Err(error)],
    }
}

fn said(text: &str) -> Result<ChatDelta, SpeechError> {
    Ok(ChatDelta::Text(text.to_owned()))
}

fn used(input: u64, output: u64) -> Result<ChatDelta, SpeechError> {
    Ok(ChatDelta::Used(Tokens { input, cached: 0, output }))
}

#[tokio::test]
async fn an_answer_comes_piece_by_piece() {
    let ping = json!({ "type": "ping" });
    let unknown = json!({ "type": "something_new", "x": 1 });
    let begin = block(0, json!({ "type": "text", "text": "" }));
    let [delta, end] = stop();
    let all = [start(), begin, ping, text("From nine "), unknown, text("to five."), block_stop(0), delta, end];
    let fake = Fake::start([sse(&all, End::Proper)]).await;
    assert_eq!(answer(&fake, patient()).await, [said("From nine "), said("to five."), used(20, 7)]);

    let seen = fake.seen().remove(0);
    assert_eq!(seen.path, "/v1/messages");
    assert_eq!(
        (&seen.headers["x-api-key"], &seen.headers["anthropic-version"]),
        (&"sk-ant".parse().unwrap(), &"2023-06-01".parse().unwrap())
    );
    assert!(!seen.headers.contains_key("authorization"));
    let request = seen.json();
    assert_eq!(request["system"][0]["text"], "Be brief.");
    assert_eq!(request["tools"][0]["input_schema"], json!({ "type": "object" }));
}

#[tokio::test]
async fn functions_that_are_called_come_with_their_arguments_put_together() {
    let input = |json: &str| {
        let delta = json!({ "type": "input_json_delta", "partial_json": json });
        json!({ "type": "content_block_delta", "index": 1, "delta": delta })
    };
    let begin = |id: &str, name: &str| block(1, json!({ "type": "tool_use", "id": id, "name": name, "input": {} }));
    let [delta, end] = stop();
    let all = [
        start(),
        text("One moment."),
        block_stop(0),
        begin("toolu_1", "book"),
        input(""),
        input("{\"day\""),
        input(": 1}"),
        block_stop(1),
        begin("toolu_2", "hang_up"),
        block_stop(2),
        delta,
        end,
    ];
    let fake = Fake::start([sse(&all, End::Proper)]).await;
    let call = |id: &str, name: &str, arguments: &str| {
        let (id, name, arguments) = (id.to_owned(), name.to_owned(), arguments.to_owned());
        Ok(ChatDelta::ToolCall(ToolCall { id, name, arguments }))
    };
    let (first, second) = (call("toolu_1", "book", "{\"day\": 1}"), call("toolu_2", "hang_up", "{}"));
    let expected = [said("One moment."), first, second, used(20, 7)];
    assert_eq!(answer(&fake, patient()).await, expected);
}

#[tokio::test]
async fn one_that_stalls_times_out_before_and_in_the_middle() {
    let base_url = |fake: &Fake| fake.base_url.trim_end_matches("/v1").to_owned();
    let timed_out =
        |fake: &Fake| Err(SpeechError::TimedOut { stage: SpeechStage::Chat, base_url: base_url(fake), after: SHORT });
    for reply in [Reply::Silence, sse(&[start(), json!({ "type": "ping" })], End::Silence)] {
        let fake = Fake::start([reply]).await;
        assert_eq!(answer(&fake, Timeouts { first_token: SHORT, ..patient() }).await, [timed_out(&fake)]);
    }
    let fake = Fake::start([sse(&[start(), text("From ")], End::Silence)]).await;
    let timeouts = Timeouts { token_gap: SHORT, ..patient() };
    assert_eq!(answer(&fake, timeouts).await, [said("From "), timed_out(&fake)]);
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_reports_an_error_is_cut_off() {
    let overloaded = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    for (rest, end) in [(None, End::CutOff), (None, End::Proper), (Some(overloaded), End::Proper)] {
        let all: Vec<Value> = [start(), text("From ")].into_iter().chain(rest).collect();
        let fake = Fake::start([sse(&all, end)]).await;
        let answer = answer(&fake, patient()).await;
        assert!(matches!(&answer[..], [Ok(_), Err(SpeechError::CutOff { .. })]), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_stream_of_its_is_malformed() {
    let page = Reply::Whole(200, None, "text/html", "<html>welcome</html>".to_owned());
    let babble = Reply::Stream("text/event-stream", vec!["data: {not json\n\n".into()], End::Proper);
    for reply in [page, babble, sse(&[], End::Proper)] {
        let fake = Fake::start([reply]).await;
        let answer = answer(&fake, patient()).await;
        assert!(matches!(&answer[..], [Err(SpeechError::Malformed { .. })]), "{answer:?}");
    }
}

#[tokio::test]
async fn an_overloaded_one_is_asked_once_more_and_a_wrong_key_is_told() {
    let refusal = |status| {
        let body = json!({ "type": "error", "error": { "type": "x", "message": format!("no, {status}") } });
        Reply::Whole(status, None, "application/json", body.to_string())
    };
    let fake = Fake::start([refusal(529), sse(&[vec![text("Yes.")], stop().to_vec()].concat(), End::Proper)]).await;
    assert_eq!(answer(&fake, patient()).await, [said("Yes."), used(0, 7)]);
    let fake = Fake::start([refusal(401)]).await;
    let answer = answer(&fake, patient()).await;
    assert!(
        matches!(&answer[..], [Err(SpeechError::Refused { status: 401, message, .. })] if message == "no, 401"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn tokens_from_the_cache_are_told_apart() {
    let usage = json!({ "input_tokens": 20, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 900 });
    let start = json!({ "type": "message_start", "message": { "usage": usage } });
    let fake = Fake::start([sse(&[vec![start, text("Yes.")], stop().to_vec()].concat(), End::Proper)]).await;
    let tokens = Tokens { input: 1020, cached: 900, output: 7 };
    assert_eq!(answer(&fake, patient()).await, [said("Yes."), Ok(ChatDelta::Used(tokens))]);
}
