//! A streamed answer of the Messages API, event by event.
//! What is done with it is decided elsewhere.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use eventsource_stream::{Event, EventStreamError, Eventsource};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use crate::speech::http::{ErrorObject, Failure, excerpt};
use crate::speech::{ChatDelta, Tokens, ToolCall};

type Events = BoxStream<'static, Result<Event, EventStreamError<reqwest::Error>>>;

/// An event, as far as it matters. New kinds may come at any time, the API says; they are skipped.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Streamed {
    MessageStart {
        message: Message,
    },
    MessageDelta {
        usage: Option<UsageObject>,
    },
    ContentBlockStart {
        content_block: Block,
    },
    ContentBlockDelta {
        delta: Piece,
    },
    ContentBlockStop,
    MessageStop,
    Error {
        error: ErrorObject,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Message {
    usage: Option<UsageObject>,
}

/// Tokens read are told at the beginning, apart by what became of the cache; those written at the end.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UsageObject {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    ToolUse {
        id: String,
        name: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Piece {
    TextDelta {
        text: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    #[serde(other)]
    Other,
}

/// An answer under way.
pub struct Answer {
    events: Events,
    ready: VecDeque<ChatDelta>,
    /// The call that is being written. Blocks come one after the other.
    call: Option<ToolCall>,
    /// By when the next piece must be there, and how long that wait is.
    deadline: Instant,
    patience: Duration,
    gap: Duration,
    any_event: bool,
    finished: bool,
    tokens: Tokens,
}

// === impl Answer ===

impl Answer {
    /// The first piece is waited for until `deadline`, which is `patience` after the request; every other for `gap`.
    pub fn new(
        body: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
        deadline: Instant,
        patience: Duration,
        gap: Duration,
    ) -> Self {
        let (events, ready) = (body.eventsource().boxed(), VecDeque::new());
        Self {
            events,
            ready,
            call: None,
            deadline,
            patience,
            gap,
            any_event: false,
            finished: false,
            tokens: Tokens::default(),
        }
    }

    pub async fn next(&mut self) -> Option<Result<ChatDelta, Failure>> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                self.went_on();
                return Some(Ok(delta));
            }
            if self.finished {
                return None;
            }
            match timeout_at(self.deadline, self.events.next()).await {
                Err(_) => return Some(Err(Failure::TimedOut(self.patience))),
                Ok(Some(Ok(event))) => {
                    if let Err(failure) = self.take(&event.data) {
                        return Some(Err(failure));
                    }
                }
                Ok(Some(Err(EventStreamError::Transport(error)))) => return Some(Err(Failure::from(&error))),
                Ok(Some(Err(error))) => return Some(Err(Failure::Malformed(error.to_string()))),
                Ok(None) if self.any_event => {
                    return Some(Err(Failure::CutOff("it ended without a message_stop".to_owned())));
                }
                Ok(None) => return Some(Err(Failure::Malformed("a stream without a single event".to_owned()))),
            }
        }
    }

    fn take(&mut self, data: &str) -> Result<(), Failure> {
        let event = serde_json::from_str(data)
            .map_err(|error| Failure::Malformed(format!("{error} in {:?}", excerpt(data))))?;
        self.any_event = true;
        match event {
            Streamed::ContentBlockStart { content_block: Block::ToolUse { id, name } } => {
                self.call = Some(ToolCall { id, name, arguments: String::new() });
                self.went_on();
            }
            Streamed::ContentBlockDelta { delta: Piece::TextDelta { text } } if !text.is_empty() => {
                self.ready.push_back(ChatDelta::Text(text));
            }
            Streamed::ContentBlockDelta { delta: Piece::InputJsonDelta { partial_json } } => {
                if let Some(call) = &mut self.call {
                    call.arguments.push_str(&partial_json);
                }
                self.went_on();
            }
            Streamed::ContentBlockStop => self.ready.extend(self.call.take().map(complete)),
            Streamed::MessageStart { message } => self.count(message.usage),
            Streamed::MessageDelta { usage } => self.count(usage),
            Streamed::MessageStop => {
                self.finished = true;
                let counted = self.tokens != Tokens::default();
                self.ready.extend(counted.then_some(ChatDelta::Used(self.tokens)));
            }
            Streamed::Error { error } => return Err(Failure::CutOff(error.message)),
            Streamed::ContentBlockStart { .. } | Streamed::ContentBlockDelta { .. } | Streamed::Other => {}
        }
        Ok(())
    }

    fn count(&mut self, usage: Option<UsageObject>) {
        let usage = usage.unwrap_or_default();
        if let Some(fresh) = usage.input_tokens {
            let cached = usage.cache_read_input_tokens.unwrap_or_default();
            self.tokens.input = fresh + cached + usage.cache_creation_input_tokens.unwrap_or_default();
            self.tokens.cached = cached;
        }
        self.tokens.output = usage.output_tokens.unwrap_or(self.tokens.output);
    }

    /// From now on the next piece is waited for.
    fn went_on(&mut self) {
        self.patience = self.gap;
        self.deadline = Instant::now() + self.patience;
    }
}

/// A function without arguments is called with none at all.
fn complete(mut call: ToolCall) -> ChatDelta {
    if call.arguments.is_empty() {
        call.arguments.push_str("{}");
    }
    ChatDelta::ToolCall(call)
}
