//! One WebSocket from its first message to its end, in any dialect: a call is started, fed, followed and ended.
//! Whatever happens to the client, the call ends; whatever happens to the call, the client is told.

mod call;

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, close_code};
use edge_protocol::EndCause;
use futures::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::Instant;

use super::allowance::Allowance;
use super::dialect::{Dialect, FromClient, Start, ToClient, Unusable};
use crate::node::Node;
use crate::node::admission::CallPlace;

/// How long a client may take to say which call it wants.
const START_WITHIN: Duration = Duration::from_secs(10);

/// How long a client may take to read what it is sent; then it is gone.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// Messages in a row that make no sense, after which nobody is listened to.
const MOST_UNUSABLE: u32 = 3;

/// What carries messages: a WebSocket, or what is made to look like one.
pub trait Socket:
    Stream<Item = Result<Message, Self::Broken>> + Sink<Message, Error = Self::Broken> + Unpin + Send
{
    type Broken: Display + Send;
}

/// A client's session.
pub struct Session<S, D> {
    node: Arc<Node>,
    socket: S,
    dialect: D,
    peer: SocketAddr,
    /// The client may say what admission decided.
    pub signed: bool,
    /// Parameters of the URL.
    pub query: Vec<(String, String)>,
    /// The client gives its caller to somebody else when it is told to.
    transfers: bool,
    allowance: Allowance,
    /// Unusable messages in a row.
    unusable: u32,
}

/// What came from the client.
enum Heard {
    Said(FromClient),
    /// Nothing that matters.
    Nothing,
    Unusable(Unusable),
    /// The client closed the socket, or the network did; or it broke the WebSocket's own rules.
    Gone(Option<String>),
}

/// Why a client cannot be told anything any more.
struct Unreachable;

// === impl Session ===

impl<S, E: Display + Send> Socket for S
where
    S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin + Send,
{
    type Broken = E;
}

impl<S: Socket, D: Dialect> Session<S, D> {
    pub fn new(node: Arc<Node>, socket: S, dialect: D, peer: SocketAddr) -> Self {
        let allowance = Allowance::new(Instant::now());
        Self { node, socket, dialect, peer, signed: false, query: Vec::new(), transfers: false, allowance, unusable: 0 }
    }

    /// Stays with the client until its call is over; the place under the cap is held so long.
    pub async fn run(mut self, place: CallPlace) {
        let code = match self.start().await {
            Some(start) => self.call(start).await,
            None => close_code::POLICY,
        };
        drop(place);
        let goodbye = Message::Close(Some(CloseFrame { code, reason: "".into() }));
        // Whoever is gone already needs no goodbye.
        let _ = tokio::time::timeout(READ_WITHIN, self.socket.send(goodbye)).await;
    }

    /// The first message: which call is wanted.
    async fn start(&mut self) -> Option<Start> {
        let deadline = Instant::now() + START_WITHIN;
        loop {
            let Ok(heard) = tokio::time::timeout_at(deadline, self.hear()).await else {
                let _ = self.tell(ToClient::Error("no start came within 10 s")).await;
                return None;
            };
            let goes_on = match heard {
                Heard::Said(FromClient::Start(mut start)) => {
                    start.add(&self.query);
                    return Some(*start);
                }
                Heard::Said(FromClient::HangUp) => return None,
                Heard::Said(_) => self.not_usable(&Unusable("the first message must be start".to_owned())).await,
                Heard::Nothing => true,
                Heard::Unusable(unusable) => self.not_usable(&unusable).await,
                Heard::Gone(error) => self.gone(error).await,
            };
            if !goes_on {
                return None;
            }
        }
    }

    /// The next thing the client says, as soon as its allowance lets it be read. Nothing is lost if it is not waited for.
    async fn hear(&mut self) -> Heard {
        if let Some(next) = self.allowance.next() {
            tokio::time::sleep_until(next).await;
        }
        let message = match self.socket.next().await {
            Some(Ok(Message::Close(_))) | None => return Heard::Gone(None),
            Some(Ok(message)) => message,
            Some(Err(error)) => return Heard::Gone(Some(error.to_string())),
        };
        let read = self.dialect.read(&message);
        let samples = if let Ok(Some(FromClient::Audio(audio))) = &read { audio.len() } else { 0 };
        self.allowance.spend(Instant::now(), samples);
        match read {
            Ok(Some(said)) => Heard::Said(said),
            Ok(None) => Heard::Nothing,
            Err(unusable) => Heard::Unusable(unusable),
        }
    }

    /// Tells the client. False: nothing can be used of what it says, and nobody listens any longer.
    async fn not_usable(&mut self, unusable: &Unusable) -> bool {
        self.unusable += 1;
        let told = self.tell(ToClient::Error(&unusable.0)).await;
        told.is_ok() && self.unusable < MOST_UNUSABLE
    }

    /// Tells the client what broke the socket, if it can still be told. False: there is no client any more.
    async fn gone(&mut self, error: Option<String>) -> bool {
        if let Some(error) = error {
            tracing::debug!(peer = %self.peer, error, "a WebSocket failed");
            let _ = self.tell(ToClient::Error(&error)).await;
        }
        false
    }

    async fn tell(&mut self, what: ToClient<'_>) -> Result<(), Unreachable> {
        let Some(message) = self.dialect.write(what) else { return Ok(()) };
        let sent = tokio::time::timeout(READ_WITHIN, self.socket.send(message)).await;
        sent.map_err(|_| Unreachable)?.map_err(|_| Unreachable)
    }

    /// The call will not be. The close code to end with.
    async fn refuse(&mut self, label: &'static str, code: u16, reason: &str) -> u16 {
        tracing::info!(peer = %self.peer, reason, "a call over a WebSocket is refused");
        self.node.refused(label);
        let _ = self.tell(ToClient::Error(reason)).await;
        code
    }

    /// The call is over.
    async fn ended(&mut self, cause: EndCause) -> u16 {
        let _ = self.tell(ToClient::Ended(cause)).await;
        close_code::NORMAL
    }
}
