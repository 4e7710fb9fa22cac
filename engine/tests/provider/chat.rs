//! A conversation to its next line, streamed, and every way it can fail before and in the middle of it.
//! Retries have their own file.

use std::sync::Arc;
use std::time::Duration;

use edge_protocol::SpeechStage;
use engine::speech::openai::Timeouts;
use engine::speech::{ChatDelta, ChatMessage, Responder, SpeechError, Tokens, ToolCall, ToolDefinition};
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
        ChatMessage::System("You answer the phone.".to_owned()),
        ChatMessage::assistant("Hello."),
        ChatMessage::User("When are you open?".to_owned()),
    ]
}

fn tools() -> Arc<[ToolDefinition]> {
    let parameters = json!({ "type": "object", "properties": { "order": { "type": "integer" } } });
    let lookup = ToolDefinition { name: "lookup".to_owned(), description: "Finds an order.".to_owned(), parameters };
    [lookup].into()
}

fn lookup(id: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: "lookup".to_owned(), arguments: arguments.to_owned() }
}

fn sse(mut chunks: Vec<bytes::Bytes>, end: End) -> Reply {
    if matches!(end, End::Proper) {
        chunks.push("data: [DONE]\n\n".into());
    }
    Reply::Stream("text/event-stream", chunks, end)
}

/// Everything that comes until the stream ends.
async fn answer(fake: &Fake, timeouts: Timeouts) -> Vec<Result<ChatDelta, SpeechError>> {
    match client(&fake.base_url, timeouts).respond(question(), tools()).await {
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
    let tool = json!({ "type": "function", "function": { "name": "lookup", "description": "Finds an order.",
        "parameters": { "type": "object", "properties": { "order": { "type": "integer" } } } } });
    assert_eq!(request["tools"], json!([tool]));
    let roles: Vec<&str> =
        request["messages"].as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "assistant", "user"]);
    assert_eq!(request["messages"][2]["content"], "When are you open?");
}

#[tokio::test]
async fn a_call_that_comes_in_pieces_is_told_once_it_is_whole_and_after_the_text() {
    let piece = |call: Value| json!({ "choices": [{ "delta": { "tool_calls": [call] } }] });
    let begin = piece(json!({ "index": 0, "id": "call_1", "type": "function",
        "function": { "name": "lookup", "arguments": "" } }));
    let more = |arguments: &str| piece(json!({ "index": 0, "function": { "arguments": arguments } }));
    let finish = json!({ "choices": [{ "delta": {}, "finish_reason": "tool_calls" }] });
    let pieces = events(&[text("Let me see."), begin, more("{\"order\""), more(":42}"), finish]);
    let fake = Fake::start([sse(pieces, End::Proper)]).await;
    let call = ChatDelta::ToolCall(lookup("call_1", r#"{"order":42}"#));
    assert_eq!(answer(&fake, patient()).await, [said("Let me see."), Ok(call)]);
}

#[tokio::test]
async fn a_call_is_not_told_if_the_answer_breaks_off() {
    let call = json!({ "choices": [{ "delta": { "tool_calls": [{ "index": 0, "id": "call_1",
        "function": { "name": "lookup", "arguments": "{" } }] } }] });
    let fake = Fake::start([sse(events(&[call]), End::CutOff)]).await;
    let answer = answer(&fake, patient()).await;
    assert!(matches!(answer[..], [Err(SpeechError::CutOff { .. })]), "{answer:?}");
}

#[tokio::test]
async fn calls_and_their_results_go_back_to_the_model() {
    let fake = Fake::start([sse(events(&[text("Ready."), stop()]), End::Proper)]).await;
    let mut messages = question();
    let call = lookup("call_1", r#"{"order":42}"#);
    messages.push(ChatMessage::Assistant { text: String::new(), calls: vec![call] });
    messages.push(ChatMessage::Tool { id: "call_1".to_owned(), result: "it is ready".to_owned() });
    let answer = client(&fake.base_url, patient()).respond(messages, Arc::default()).await.expect("a stream");
    assert_eq!(answer.collect::<Vec<_>>().await, [said("Ready.")]);
    let request = fake.seen().remove(0).json();
    let call = json!({ "id": "call_1", "type": "function",
        "function": { "name": "lookup", "arguments": "{\"order\":42}" } });
    assert_eq!(request["messages"][3], json!({ "role": "assistant", "content": null, "tool_calls": [call] }));
    let result = json!({ "role": "tool", "tool_call_id": "call_1", "content": "it is ready" });
    assert_eq!(request["messages"][4], result);
    assert_eq!(request.get("tools"), None, "an empty list would be refused");
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
    let mut stream = client(&fake.base_url, patient()).respond(question(), tools()).await.expect("a stream");
    assert_eq!(stream.next().await, Some(said("From ")));
    drop(stream);
    fake.given_up().await;
}

#[tokio::test]
async fn tokens_are_counted_where_the_provider_counts_them() {
    let usage =
        json!({ "prompt_tokens": 1200, "completion_tokens": 8, "prompt_tokens_details": { "cached_tokens": 1024 } });
    let counted = json!({ "choices": [], "usage": usage });
    let fake = Fake::start([sse(events(&[text("Yes."), stop(), counted]), End::Proper)]).await;
    let tokens = Tokens { input: 1200, cached: 1024, output: 8 };
    assert_eq!(answer(&fake, patient()).await, [said("Yes."), Ok(ChatDelta::Used(tokens))]);
    let request = fake.seen().remove(0).json();
    assert_eq!(request["stream_options"], json!({ "include_usage": true }));
    assert!(request["prompt_cache_key"].as_str().unwrap().starts_with("tandem-"));
}

#[tokio::test]
async fn who_does_not_know_the_extras_is_asked_without_them_from_then_on() {
    let error = json!({ "error": { "message": "Unrecognized request argument supplied: stream_options" } });
    let yes = || sse(events(&[text("Yes."), stop()]), End::Proper);
    let fake = Fake::start([Reply::Whole(400, None, "application/json", error.to_string()), yes(), yes()]).await;
    let client = client(&fake.base_url, patient());
    for _ in 0..2 {
        let answer: Vec<_> = client.respond(question(), Arc::from([])).await.expect("an answer").collect().await;
        assert_eq!(answer, [said("Yes.")]);
    }
    let asked: Vec<bool> = fake.seen().iter().map(|seen| seen.json().get("stream_options").is_some()).collect();
    assert_eq!(asked, [true, false, false]);
}
