//! A conversation to its next line, streamed piece by piece, with the one tool a phone needs: to hang up.
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

use crate::speech::{ChatDelta, ChatMessage, ChatStream, Responder, Role, SpeechError};

use super::attempt::ErrorObject;
use super::{Failure, OpenAiClient, Shared};

const HANG_UP: &str = "hang_up";

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
    tool_calls: Option<Vec<ToolCall>>,
}

#[derive(Debug, Deserialize)]
struct ToolCall {
    function: Option<Function>,
}

#[derive(Debug, Deserialize)]
struct Function {
    name: Option<String>,
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
    hung_up: bool,
}

// === impl OpenAiClient ===

impl Responder for OpenAiClient {
    fn warm_up(&self) -> BoxFuture<'static, ()> {
        let shared = self.shared.clone();
        async move { shared.warm_up().await }.boxed()
    }

    fn respond(&self, messages: Vec<ChatMessage>) -> BoxFuture<'static, Result<ChatStream, SpeechError>> {
        let shared = self.shared.clone();
        async move {
            let patience = shared.config.timeouts.first_token;
            let deadline = Instant::now() + patience;
            let chat = shared.api.chat();
            let body = request(&shared.config.chat_model, &messages);
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
                hung_up: false,
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

fn request(model: &str, messages: &[ChatMessage]) -> Value {
    let messages: Vec<Value> = messages
        .iter()
        .map(|message| {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            json!({ "role": role, "content": message.text })
        })
        .collect();
    json!({
        "model": model,
        "messages": messages,
        "stream": true,
        "tools": [{
            "type": "function",
            "function": {
                "name": HANG_UP,
                "description": "Ends the phone call. Call it after you have said goodbye, in the same answer.",
                "parameters": { "type": "object", "properties": {}, "additionalProperties": false }
            }
        }]
    })
}

// === impl Answer ===

impl Answer {
    async fn next(&mut self) -> Option<Result<ChatDelta, Failure>> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                self.patience = self.shared.config.timeouts.token_gap;
                self.deadline = Instant::now() + self.patience;
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
                Ok(None) if self.finished => return None,
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
        if let Some(text) = choice.delta.content.filter(|text| !text.is_empty()) {
            self.ready.push_back(ChatDelta::Text(text));
        }
        let hangs_up = choice
            .delta
            .tool_calls
            .iter()
            .flatten()
            .any(|call| call.function.as_ref().and_then(|function| function.name.as_deref()) == Some(HANG_UP));
        if hangs_up && !std::mem::replace(&mut self.hung_up, true) {
            self.ready.push_back(ChatDelta::HangUp);
        }
    }
}
