//! `POST /v1/chat/completions`: the conversation so far to the scripted agent's next line, at once or word by word.
//! What is answered is `script`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, Speech};
use crate::speech::offline::script::{Line, Reply};

/// The function that a model calls to end the call.
const HANG_UP: &str = "hang_up";

#[derive(Deserialize)]
pub struct Request {
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    tools: Option<Vec<Tool>>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Option<Content>,
}

/// A text, or a list of parts of which the texts count.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

#[derive(Deserialize)]
struct ContentPart {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct Tool {
    function: Option<ToolFunction>,
}

#[derive(Deserialize)]
struct ToolFunction {
    name: String,
}

impl Message {
    fn into_line(self) -> Option<Result<Line, ApiError>> {
        let text = match self.content {
            None => String::new(),
            Some(Content::Text(text)) => text,
            Some(Content::Parts(parts)) => parts.into_iter().map(|part| part.text).collect::<Vec<_>>().join(" "),
        };
        match self.role.as_str() {
            "user" => Some(Ok(Line::Caller(text))),
            // It called a tool and said nothing.
            "assistant" if text.is_empty() => None,
            "assistant" => Some(Ok(Line::Agent(text))),
            "system" | "developer" | "tool" | "function" => None,
            other => Some(Err(ApiError::invalid("messages", format!("\"{other}\" is not a role")))),
        }
    }
}

pub async fn create(
    State(speech): State<Arc<Speech>>,
    request: Result<Json<Request>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(request) = request?;
    if request.messages.is_empty() {
        return Err(ApiError::invalid("messages", "messages must not be empty"));
    }
    let mut tools = request.tools.iter().flatten().filter_map(|tool| tool.function.as_ref());
    let may_hang_up = tools.any(|function| function.name == HANG_UP);
    let lines = request.messages.into_iter().filter_map(Message::into_line).collect::<Result<Vec<_>, _>>()?;
    let mut reply = speech.agent.reply(&lines);
    reply.hang_up &= may_hang_up;
    let head = Head { id: format!("chatcmpl-{}", uuid::Uuid::now_v7().simple()), model: request.model };
    if !request.stream.unwrap_or(false) {
        return Ok(Json(head.whole(&reply)).into_response());
    }
    let with_usage = request.stream_options.is_some_and(|options| options.include_usage);
    let mut events: Vec<Event> =
        head.chunks(&reply, with_usage).iter().map(|chunk| Event::default().data(chunk.to_string())).collect();
    events.push(Event::default().data("[DONE]"));
    Ok(Sse::new(stream::iter(events.into_iter().map(Ok::<_, Infallible>))).into_response())
}

/// What all parts of an answer repeat.
struct Head {
    id: String,
    model: String,
}

impl Head {
    fn object(&self, object: &str, choices: Value) -> Value {
        json!({ "id": self.id, "object": object, "created": now_s(), "model": self.model, "choices": choices })
    }

    fn whole(&self, reply: &Reply) -> Value {
        let mut message = json!({ "role": "assistant", "content": reply.text, "refusal": null });
        if reply.hang_up {
            message["tool_calls"] = json!([{ "id": self.tool_call_id(), "type": "function", "function": { "name": HANG_UP, "arguments": "{}" } }]);
        }
        let choice = json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": finish(reply) });
        let mut whole = self.object("chat.completion", json!([choice]));
        whole["usage"] = no_usage();
        whole
    }

    fn chunks(&self, reply: &Reply, with_usage: bool) -> Vec<Value> {
        let chunk = |delta: Value, finish: Option<&str>| {
            let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
            self.object("chat.completion.chunk", json!([choice]))
        };
        let mut chunks = vec![chunk(json!({ "role": "assistant", "content": "" }), None)];
        chunks.extend(reply.text.split_inclusive(' ').map(|word| chunk(json!({ "content": word }), None)));
        if reply.hang_up {
            let call = |rest: Value| chunk(json!({ "tool_calls": [rest] }), None);
            chunks.push(call(json!({
                "index": 0,
                "id": self.tool_call_id(),
                "type": "function",
                "function": { "name": HANG_UP, "arguments": "" },
            })));
            chunks.push(call(json!({ "index": 0, "function": { "arguments": "{}" } })));
        }
        chunks.push(chunk(json!({}), Some(finish(reply))));
        if with_usage {
            let mut usage = self.object("chat.completion.chunk", json!([]));
            usage["usage"] = no_usage();
            chunks.push(usage);
        }
        chunks
    }

    fn tool_call_id(&self) -> String {
        self.id.replace("chatcmpl-", "call_")
    }
}

fn finish(reply: &Reply) -> &'static str {
    if reply.hang_up { "tool_calls" } else { "stop" }
}

/// A script costs no tokens.
fn no_usage() -> Value {
    json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 })
}

/// Seconds since 1970.
fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
