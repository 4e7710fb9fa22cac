//! A conversation to its next line, streamed piece by piece, with the functions the model may call.
//! What the conversation holds and what is done with the answer is decided elsewhere.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_openai::types::stream::StreamResponse;
use edge_protocol::SpeechStage;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::speech::{ChatDelta, ChatMessage, ChatStream, Responder, SpeechError, ToolCall, ToolDefinition};

use super::tool_calls::{ToolCallDelta, ToolCalls};
use super::{Failure, OpenAiClient, Shared};
use crate::speech::http::ErrorObject;

/// `chat.completion.chunk`, as far as it matters; a provider may leave out everything else.
#[derive(Debug, Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    /// Some providers report a failure in mid-stream this way.
    error: Option<ErrorObject>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Delta {
    content: Option<String>,
    tool_calls: Option<Vec<ToolCallDelta>>,
}

/// An answer under way.
struct Answer {
    shared: Arc<Shared>,
    chunks: StreamResponse<Chunk>,
    ready: VecDeque<ChatDelta>,
    /// By when the next piece must be there, and how long that wait is.
    deadline: Instant,
    patience: Duration,
    any_chunk: bool,
    /// A `finish_reason` came: the provider had said all it wanted to.
    finished: bool,
    tool_calls: ToolCalls,
}

// === impl OpenAiClient ===

impl Responder for OpenAiClient {
    fn respond(
        &self,
        messages: Vec<ChatMessage>,
        tools: Arc<[ToolDefinition]>,
    ) -> BoxFuture<'static, Result<ChatStream, SpeechError>> {
        let shared = self.shared.clone();
        async move {
            let patience = shared.config.timeouts.first_token;
            let deadline = Instant::now() + patience;
            let chat = shared.api.chat();
            let body = request(&shared.config.chat_model, &messages, &tools);
            let chunks = match timeout_at(deadline, chat.create_stream_byot::<_, Chunk>(body)).await {
                Ok(Ok(chunks)) => chunks,
                Ok(Err(error)) => return Err(shared.error(SpeechStage::Chat, Failure::from(error))),
                Err(_) => return Err(shared.error(SpeechStage::Chat, Failure::TimedOut(patience))),
            };
            let answer = Answer {
                shared: shared.clone(),
                chunks,
                ready: VecDeque::new(),
                deadline,
                patience,
                any_chunk: false,
                finished: false,
                tool_calls: ToolCalls::default(),
            };
            // `None` as state ends the stream after an error.
            let deltas = stream::unfold(Some(answer), |answer| async move {
                let mut answer = answer?;
                match answer.next().await? {
                    Ok(delta) => Some((Ok(delta), Some(answer))),
                    Err(failure) => Some((Err(answer.shared.error(SpeechStage::Chat, failure)), None)),
                }
            });
            Ok(deltas.boxed() as ChatStream)
        }
        .boxed()
    }
}

fn request(model: &str, messages: &[ChatMessage], tools: &[ToolDefinition]) -> Value {
    let messages: Vec<Value> = messages.iter().map(message).collect();
    let mut request = json!({ "model": model, "messages": messages, "stream": true });
    // An empty list is refused.
    if !tools.is_empty() {
        let tools: Vec<Value> = tools
            .iter()
            .map(|ToolDefinition { name, description, parameters }| {
                let function = json!({ "name": name, "description": description, "parameters": parameters });
                json!({ "type": "function", "function": function })
            })
            .collect();
        request["tools"] = tools.into();
    }
    request
}

fn message(message: &ChatMessage) -> Value {
    match message {
        ChatMessage::System(text) => json!({ "role": "system", "content": text }),
        ChatMessage::User(text) => json!({ "role": "user", "content": text }),
        ChatMessage::Assistant { text, calls } if calls.is_empty() => json!({ "role": "assistant", "content": text }),
        ChatMessage::Assistant { text, calls } => {
            let text = (!text.is_empty()).then_some(text);
            let calls: Vec<Value> = calls.iter().map(tool_call).collect();
            json!({ "role": "assistant", "content": text, "tool_calls": calls })
        }
        ChatMessage::Tool { id, result } => json!({ "role": "tool", "tool_call_id": id, "content": result }),
    }
}

fn tool_call(ToolCall { id, name, arguments }: &ToolCall) -> Value {
    json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

// === impl Answer ===

impl Answer {
    async fn next(&mut self) -> Option<Result<ChatDelta, Failure>> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                self.went_on();
                return Some(Ok(delta));
            }
            match timeout_at(self.deadline, self.chunks.next()).await {
                Err(_) => return Some(Err(Failure::TimedOut(self.patience))),
                Ok(Some(Ok(chunk))) => {
                    if let Some(error) = chunk.error {
                        return Some(Err(Failure::CutOff(error.message)));
                    }
                    self.take(chunk);
                }
                Ok(Some(Err(error))) => return Some(Err(Failure::from(error))),
                Ok(None) if self.finished => {
                    self.ready.extend(self.tool_calls.take().map(ChatDelta::ToolCall));
                    return self.ready.pop_front().map(Ok);
                }
                Ok(None) if self.any_chunk => {
                    return Some(Err(Failure::CutOff("it ended without a finish_reason".to_owned())));
                }
                Ok(None) => return Some(Err(Failure::Malformed("a stream without a single event".to_owned()))),
            }
        }
    }

    fn take(&mut self, chunk: Chunk) {
        self.any_chunk = true;
        // One answer is asked for, so there is one choice; the chunk with the usage has none.
        let Some(choice) = chunk.choices.into_iter().next() else { return };
        self.finished |= choice.finish_reason.is_some();
        let text = choice.delta.content.filter(|text| !text.is_empty());
        let calls = choice.delta.tool_calls.unwrap_or_default();
        // A piece of a call is a piece of the answer, though none that could be passed on yet.
        if !calls.is_empty() {
            self.went_on();
        }
        self.ready.extend(text.map(ChatDelta::Text));
        calls.into_iter().for_each(|call| self.tool_calls.push(call));
    }

    /// From now on the next piece is waited for.
    fn went_on(&mut self) {
        self.patience = self.shared.config.timeouts.token_gap;
        self.deadline = Instant::now() + self.patience;
    }
}
