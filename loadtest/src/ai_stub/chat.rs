//! `POST /v1/chat/completions`: repeats what the user said, streamed word by word or in one piece, or calls a tool.
//! Options of the request are ignored.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};

use super::Stub;
use super::faults::{self, Stage, Treatment};

/// 100 tokens a second.
const BETWEEN_TOKENS: Duration = Duration::from_millis(10);
/// Tokens of an answer that is cut off.
const TOKENS_BEFORE_CUT: usize = 3;

/// A function and what it is called with, JSON.
#[derive(Debug, Clone)]
pub struct StubCall {
    pub name: String,
    pub arguments: String,
}

pub async fn answer(State(stub): State<Arc<Stub>>, Json(request): Json<Value>) -> Response {
    let text = reply_to(&stub, last_line(&request), result(&request));
    let call = stub.tool.as_ref().filter(|tool| result(&request).is_none() && offers(&request, &tool.name));
    let streamed = request["stream"].as_bool().unwrap_or(false);
    let treatment = faults::treat(stub.faults.as_ref(), Stage::Chat, stub.token_after).await;
    if let Treatment::Refuse(response) = treatment {
        return response;
    }
    if call.is_none() && !streamed && matches!(treatment, Treatment::Normal) {
        let choice = json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
        return Json(envelope("chat.completion", choice)).into_response();
    }
    let events = paced(call.map_or_else(|| tokens(&text), call_events));
    let body = match treatment {
        Treatment::Cut => faults::cut(events, TOKENS_BEFORE_CUT),
        _ => faults::whole(events),
    };
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// What the stub says to a caller's line, or to a tool's result.
pub fn reply_to(stub: &Stub, line: &str, result: Option<&str>) -> String {
    match (result, &stub.reply) {
        (Some(result), _) => format!("The result is {result}."),
        (None, Some(reply)) => reply.clone(),
        (None, None) => format!("You said {line}. I am a test voice and say this to every caller. What else?"),
    }
}

fn offers(request: &Value, name: &str) -> bool {
    request["tools"].as_array().is_some_and(|tools| tools.iter().any(|tool| tool["function"]["name"] == name))
}

/// A tool's result, if that is what the model is to answer to.
fn result(request: &Value) -> Option<&str> {
    let last = request["messages"].as_array()?.last()?;
    last["content"].as_str().filter(|_| last["role"] == "tool")
}

fn last_line(request: &Value) -> &str {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let user = messages.iter().rev().find(|message| message["role"] == "user");
    user.and_then(|message| message["content"].as_str()).unwrap_or("nothing")
}

/// Server-sent events: a word each, the finish, `[DONE]`.
fn tokens(text: &str) -> Vec<Bytes> {
    let words: Vec<String> = text.split_inclusive(' ').map(str::to_owned).collect();
    let deltas = words.into_iter().map(|word| chunk(json!({"content": word}), Value::Null));
    deltas.chain(finish("stop")).collect()
}

/// The call as OpenAI streams it: its name, then its arguments in pieces.
fn call_events(StubCall { name, arguments }: &StubCall) -> Vec<Bytes> {
    let piece = |call: Value| chunk(json!({"tool_calls": [call]}), Value::Null);
    let function = json!({"name": name, "arguments": ""});
    let begin = piece(json!({"index": 0, "id": "call_stub", "type": "function", "function": function}));
    let pieces = arguments.split_inclusive(':').map(|part| {
        let function = json!({"arguments": part});
        piece(json!({"index": 0, "function": function}))
    });
    std::iter::once(begin).chain(pieces).chain(finish("tool_calls")).collect()
}

fn finish(reason: &str) -> [Bytes; 2] {
    [chunk(json!({}), json!(reason)), Bytes::from_static(b"data: [DONE]\n\n")]
}

/// A token each.
fn paced(events: Vec<Bytes>) -> impl Stream<Item = Bytes> + Send + use<> {
    stream::iter(events).enumerate().then(async |(n, event)| {
        if n > 0 {
            tokio::time::sleep(BETWEEN_TOKENS).await;
        }
        event
    })
}

fn chunk(delta: Value, finish: Value) -> Bytes {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
    format!("data: {}\n\n", envelope("chat.completion.chunk", choice)).into()
}

fn envelope(object: &str, choice: Value) -> Value {
    json!({"id": "chatcmpl-stub", "object": object, "created": 0, "model": "stub", "choices": [choice]})
}
