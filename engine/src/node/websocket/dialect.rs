//! What is said over any WebSocket that carries a call, and the port a dialect is: bytes of its own ↔ this.
//! The order in which things may be said is the session's.

use axum::extract::ws::Message;
use edge_protocol::EndCause;
use edge_protocol::admission::Acceptance;
use thiserror::Error;

use crate::call::LawFrame;

/// A client speaks.
#[derive(Debug, Clone, PartialEq)]
pub enum FromClient {
    Start(Box<Start>),
    /// µ-law at 8000 Hz, any length.
    Audio(Vec<u8>),
    /// A key pressed: `0`-`9`, `*`, `#`, `A`-`D`.
    Key(char),
    HangUp,
}

/// The call a client wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// `None`: the node makes an id.
    pub call_id: Option<String>,
    pub from: String,
    pub to: String,
    /// What admission decided, where somebody who may say so has asked already.
    pub admitted: Option<Acceptance>,
}

/// The node speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToClient<'a> {
    Started {
        call_id: &'a str,
    },
    Audio(&'a LawFrame),
    /// The agent begins to say this sentence.
    AgentText(&'a str),
    CallerText(&'a str),
    Thinking,
    /// What was sent and is not played yet is to be dropped.
    Flush,
    Ended(EndCause),
    Error(&'a str),
}

/// A message that means nothing in its dialect; the reason is for whoever wrote the client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// How clients of one kind spell all this.
pub trait Dialect: Send + 'static {
    /// `None`: nothing the call needs to know.
    ///
    /// # Errors
    /// [`Unusable`] with the reason.
    fn read(&mut self, message: &Message) -> Result<Option<FromClient>, Unusable>;

    /// `None`: the dialect has no word for it.
    fn write(&mut self, what: ToClient<'_>) -> Option<Message>;
}
