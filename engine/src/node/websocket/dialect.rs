//! What is said over any WebSocket that carries a call, and the port a dialect is: bytes of its own ↔ this.
//! The order in which things may be said is the session's.

use axum::extract::ws::Message;
use edge_protocol::EndCause;
use edge_protocol::admission::Acceptance;
use serde_json::{Map, Value};
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
    /// All that was sent before this mark was played.
    Played(u32),
    HangUp,
}

/// The call a client wants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Start {
    /// `None`: the node makes an id.
    pub call_id: Option<String>,
    /// Who calls; "" where nobody says.
    pub from: String,
    /// Who is called; "" where nobody says.
    pub to: String,
    /// What else is told of the call, for the agent's texts.
    pub variables: Vec<(String, String)>,
    /// What admission decided, where somebody who may say so has asked already.
    pub admitted: Option<Acceptance>,
    /// The client gives the caller to somebody else when it is told to.
    pub transfers: bool,
}

/// The node speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToClient<'a> {
    Started {
        call_id: &'a str,
    },
    Audio(&'a LawFrame),
    /// To be sent back once what was sent before it is played.
    Mark(u32),
    /// The agent begins to say this sentence.
    AgentText(&'a str),
    CallerText(&'a str),
    Thinking,
    /// What was sent and is not played yet is to be dropped.
    Flush,
    /// The caller is to be given to somebody else; only to clients that do so.
    Transfer {
        /// A number or a SIP URI.
        to: &'a str,
        reason: Option<&'a str>,
    },
    Ended(EndCause),
    Error(&'a str),
}

/// A message that means nothing in its dialect; the reason is for whoever wrote the client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// Parameters of the URL a client opened, in order.
pub type Query = [(String, String)];

/// How clients of one kind spell all this.
pub trait Dialect: Send + 'static {
    /// Subprotocols (RFC 6455 section 1.9) that are taken up where a client offers them.
    const SUBPROTOCOLS: &'static [&'static str] = &[];

    /// For one client. What of `query` is not about the dialect becomes the call's variables, whatever the dialect does.
    fn new(query: &Query) -> Self;

    /// `None`: nothing the call needs to know.
    ///
    /// # Errors
    /// [`Unusable`] with the reason.
    fn read(&mut self, message: &Message) -> Result<Option<FromClient>, Unusable>;

    /// `None`: the dialect has no word for it.
    fn write(&mut self, what: ToClient<'_>) -> Option<Message>;
}

// === impl Start ===

impl Start {
    /// A call of which this is known. Where no other field says so, `from` or `caller` of the variables calls, and `to` or
    /// `called` is called.
    pub fn of(variables: Vec<(String, String)>) -> Self {
        let mut start = Self { variables, ..Self::default() };
        start.name_parties();
        start
    }

    /// Adds what the URL says; the first to tell something of a name is believed.
    pub fn add(&mut self, query: &Query) {
        for (name, value) in query {
            if !self.variables.iter().any(|(known, _)| known == name) {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        self.name_parties();
    }

    fn name_parties(&mut self) {
        for (party, names) in [(&mut self.from, ["from", "caller"]), (&mut self.to, ["to", "called"])] {
            let told = self.variables.iter().find(|(name, _)| names.iter().any(|n| name.eq_ignore_ascii_case(n)));
            if let Some((_, value)) = told.filter(|_| party.is_empty()) {
                party.clone_from(value);
            }
        }
    }
}

/// A key as its name tells.
pub fn key(name: &str) -> Result<FromClient, Unusable> {
    match name.chars().next() {
        Some(key @ ('0'..='9' | '*' | '#' | 'A'..='D')) if name.len() == 1 => Ok(FromClient::Key(key)),
        _ => Err(Unusable(format!("{name:?} is no key: 0-9, *, #, A-D"))),
    }
}

/// The texts and numbers of a JSON object, as variables.
pub fn variables(object: &Map<String, Value>) -> impl Iterator<Item = (String, String)> {
    object.iter().filter_map(|(name, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some((name.clone(), value))
    })
}

/// A message that is a JSON object.
///
/// # Errors
/// [`Unusable`] naming what it is instead.
pub fn json<T: serde::de::DeserializeOwned>(message: &Message) -> Result<Option<T>, Unusable> {
    match message {
        Message::Text(text) => {
            let read = serde_json::from_str(text.as_str());
            read.map(Some).map_err(|error| Unusable(format!("not a message of this protocol: {error}")))
        }
        Message::Binary(_) => Err(Unusable("binary messages are not understood, only JSON text".to_owned())),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => Ok(None),
    }
}
