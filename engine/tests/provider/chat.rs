//! A conversation to its next line, streamed, and every way it can fail before and in the middle of it.
//! Retries have their own file.

use std::time::Duration;

use edge_protocol::SpeechStage;
use engine::speech::openai::Timeouts;
use engine::speech::{ChatDelta, ChatMessage, Responder, Role, SpeechError};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::fake::{End, Fake, Reply, events};
use crate::{SHORT, client, patient};

fn text(text: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] })
}

fn stop() -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] })
}

fn question() -> Vec<ChatMessage> {
    vec![
        ChatMessage { role: Role::System, text: "You answer the phone.".to_owned() },
        ChatMessage { role: Role::Assistant, text: "Hello.".to_owned() },
        ChatMessage { role: Role::User, text: "When are you open?".to_owned() },
    ]
}

fn sse(mut chunks: Vec<bytes::Bytes>, end: End) -> Reply {
    if matches!(end, End::Proper) {
        chunks.push("data: [DONE]\n\n".into());
    }
    Reply::Stream("text/event-stream", chunks, end)
}

/// Everything that comes until the stream ends.
async fn answer(fake: &Fake, timeouts: Timeouts) -> Vec<Result<ChatDelta, SpeechError>> {
    match client(&fake.base_url, timeouts).respond(question()).await {
        Ok(stream) => stream.collect().await,
        Err(error) => vec![Err(error)],
    }
}

fn said(text: &str) -> Result<ChatDelta, SpeechError> {
    Ok(ChatDelta::Text(text.to_owned()))
}

fn timed_out(fake: &Fake, after: Duration) -> Result<ChatDelta, SpeechError> {
    Err(SpeechError::TimedOut { stage: SpeechStage::Chat, base_url: fake.base_url.clone(), after })
}

#[tokio::test]
async fn an_answer_comes_piece_by_piece() {
    let role = json!({ "choices": [{ "delta": { "role": "assistant", "content": "" } }] });
    let usage = json!({ "choices": [], "usage": { "total_tokens": 12 } });
    let chunks = events(&[role, text("From nine "), text("to five."), stop(), usage]);
    let fake = Fake::start([sse(chunks, End::Proper)]).await;
    assert_eq!(answer(&fake, patient()).await, [said("From nine "), said("to five.")]);

    let seen = fake.seen().remove(0);
    assert_eq!(seen.path, "/v1/chat/completions");
    assert_eq!(seen.headers["authorization"], "Bearer sk-test");
    let request = seen.json();
    assert_eq!(request["model"], "gpt-4o-mini");
    assert_eq!(request["stream"], true);
    assert_eq!(request["tools"][0]["function"]["name"], "hang_up");
    let roles: Vec<&str> =
        request["messages"].as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "assistant", "user"]);
    assert_eq!(request["messages"][2]["content"], "When are you open?");
}

#[tokio::test]
async fn the_tool_hang_up_is_told_once_and_after_the_text_before_it() {
    let call = json!({ "choices": [{ "delta": { "tool_calls": [{ "index": 0, "id": "call_1", "type": "function",
        "function": { "name": "hang_up", "arguments": "" } }] } }] });
    let arguments = json!({ "choices": [{ "delta": { "tool_calls": [{ "index": 0,
        "function": { "arguments": "{}" } }] } }] });
    let finish = json!({ "choices": [{ "delta": {}, "finish_reason": "tool_calls" }] });
    let fake =
        Fake::start([sse(events(&[text("Goodbye."), call.clone(), call, arguments, finish]), End::Proper)]).await;
    assert_eq!(answer(&fake, patient()).await, [said("Goodbye."), Ok(ChatDelta::HangUp)]);
}

#[tokio::test]
async fn an_event_cut_in_two_by_the_network_is_put_together() {
    let event = format!("data: {}\n\ndata: {}\n\n", text("Grüße"), stop());
    let (first, second) = event.as_bytes().split_at(event.find('ü').unwrap() + 1);
    let chunks = vec![bytes::Bytes::copy_from_slice(first), bytes::Bytes::copy_from_slice(second)];
    let fake = Fake::start([sse(chunks, End::Proper)]).await;
    assert_eq!(answer(&fake, patient()).await, [said("Grüße")]);
}

#[tokio::test]
async fn a_provider_that_does_not_begin_times_out() {
    let timeouts = Timeouts { first_token: SHORT, ..patient() };
    let fake = Fake::start([Reply::Silence]).await;
    assert_eq!(answer(&fake, timeouts).await, [timed_out(&fake, SHORT)]);
    // Headers, and an event without text, are no beginning.
    let role = json!({ "choices": [{ "delta": { "role": "assistant" } }] });
    let fake = Fake::start([sse(events(&[role]), End::Silence)]).await;
    assert_eq!(answer(&fake, timeouts).await, [timed_out(&fake, SHORT)]);
}

#[tokio::test]
async fn a_provider_that_stops_in_the_middle_times_out_after_what_came() {
    let timeouts = Timeouts { token_gap: SHORT, ..patient() };
    let fake = Fake::start([sse(events(&[text("From ")]), End::Silence)]).await;
    assert_eq!(answer(&fake, timeouts).await, [said("From "), timed_out(&fake, SHORT)]);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_cut_off_after_what_came() {
    let fake = Fake::start([sse(events(&[text("From ")]), End::CutOff)]).await;
    let answer = answer(&fake, patient()).await;
    assert_eq!(answer[0], said("From "));
    assert!(matches!(answer[1..], [Err(SpeechError::CutOff { .. })]), "{answer:?}");
}

#[tokio::test]
async fn an_answer_that_ends_without_a_finish_reason_is_cut_off() {
    let fake = Fake::start([Reply::Stream("text/event-stream", events(&[text("From ")]), End::Proper)]).await;
    let answer = answer(&fake, patient()).await;
    assert!(matches!(answer[1..], [Err(SpeechError::CutOff { .. })]), "{answer:?}");
}

#[tokio::test]
async fn an_error_in_the_middle_of_the_stream_is_told() {
    let error = json!({ "error": { "message": "the model crashed" } });
    let fake = Fake::start([sse(events(&[text("From "), error]), End::Proper)]).await;
    match &answer(&fake, patient()).await[1..] {
        [Err(SpeechError::CutOff { reason, .. })] => assert_eq!(reason, "the model crashed"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_no_chat_stream_is_malformed() {
    let wrong_event = Reply::Stream("text/event-stream", vec!["data: {not json\n\n".into()], End::Proper);
    let page = Reply::Whole(200, None, "text/html", "<html>welcome</html>".to_owned());
    let empty = Reply::Stream("text/event-stream", Vec::new(), End::Proper);
    for reply in [wrong_event, page, empty] {
        let fake = Fake::start([reply]).await;
        let answer = answer(&fake, patient()).await;
        assert!(matches!(answer[..], [Err(SpeechError::Malformed { .. })]), "{answer:?}");
    }
}

#[tokio::test]
async fn dropping_the_answer_aborts_the_request() {
    let mut fake = Fake::start([sse(events(&[text("From ")]), End::Silence)]).await;
    let mut stream = client(&fake.base_url, patient()).respond(question()).await.expect("a stream");
    assert_eq!(stream.next().await, Some(said("From ")));
    drop(stream);
    fake.given_up().await;
}
