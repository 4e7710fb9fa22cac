//! A conversation to its next line, streamed piece by piece, with the functions the model may call.
//! What the conversation holds and what is done with the answer is decided elsewhere.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use async_openai::types::stream::StreamResponse;
use edge_protocol::SpeechStage;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::speech::{ChatDelta, ChatMessage, ChatStream, Responder, SpeechError, Tokens, ToolCall, ToolDefinition};

use super::tool_calls::{ToolCallDelta, ToolCalls};
use super::{Failure, OpenAiClient, Shared};
use crate::speech::http::ErrorObject;

const STREAM_OPTIONS: &str = "stream_options";
const PROMPT_CACHE_KEY: &str = "prompt_cache_key";

/// `chat.completion.chunk`, as far as it matters; a provider may leave out everything else.
#[derive(Debug, Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    /// In the last chunk, from those who were asked for it and know how to.
    usage: Option<UsageObject>,
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

/// What the answer took; `prompt_tokens` has the cached ones in it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UsageObject {
    prompt_tokens: u64,
    completion_tokens: u64,
    prompt_tokens_details: Option<PromptTokens>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptTokens {
    cached_tokens: Option<u64>,
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
    usage: Option<UsageObject>,
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
            let mut body = request(&shared.config.chat_model, &messages, &tools);
            if !shared.is_plain.load(Relaxed) {
                add_extras(&mut body, &messages, &tools);
            }
            let mut opened = timeout_at(deadline, chat.create_stream_byot::<_, Chunk>(&body)).await;
            if let Ok(Err(error)) = opened {
                let failure = Failure::from(error);
                if !refuses_extras(&failure) {
                    return Err(shared.error(SpeechStage::Chat, failure));
                }
                tracing::info!(base_url = shared.config.base_url, "the provider takes only the plain API");
                shared.is_plain.store(true, Relaxed);
                let body = request(&shared.config.chat_model, &messages, &tools);
                opened = timeout_at(deadline, chat.create_stream_byot::<_, Chunk>(body)).await;
            }
            let chunks = match opened {
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
                usage: None,
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

/// What OpenAI understands and not everybody else does: tokens are to be counted, and requests with the same beginning
/// go where it is cached.
fn add_extras(body: &mut Value, messages: &[ChatMessage], tools: &[ToolDefinition]) {
    let mut hasher = DefaultHasher::new();
    if let Some(ChatMessage::System(text)) = messages.first() {
        text.hash(&mut hasher);
    }
    tools.iter().for_each(|tool| tool.name.hash(&mut hasher));
    body[STREAM_OPTIONS] = json!({ "include_usage": true });
    body[PROMPT_CACHE_KEY] = format!("tandem-{:016x}", hasher.finish()).into();
}

/// The provider says that it does not know what was added.
fn refuses_extras(failure: &Failure) -> bool {
    let Failure::Refused { status: 400 | 422, message } = failure else { return false };
    [STREAM_OPTIONS, PROMPT_CACHE_KEY].iter().any(|extra| message.contains(extra))
}

/// `None` from those who send the object and count nothing in it.
fn tokens(
    UsageObject { prompt_tokens: input, completion_tokens: output, prompt_tokens_details }: UsageObject,
) -> Option<Tokens> {
    let cached = prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or_default();
    (input + output > 0).then_some(Tokens { input, cached, output })
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
                    self.ready.extend(self.usage.take().and_then(tokens).map(ChatDelta::Used));
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
        self.usage = chunk.usage.or(self.usage.take());
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
