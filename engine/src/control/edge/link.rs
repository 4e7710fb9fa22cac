//! The node's link to the edge: a WebSocket that carries heartbeats up and commands down, made again when it breaks.
//! What a heartbeat says and what a command does is the node's matter.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::BackoffBuilder;
use edge_protocol::link::{Command, EdgeCommand, HEARTBEAT_MS, Heartbeat, NodeMessage};
use futures::{SinkExt, StreamExt};
use lru::LruCache;
use reqwest::Upgraded;
use reqwest::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error as SocketError, Message};
use tokio_util::sync::CancellationToken;

use super::client::{EdgeError, SignedClient};
use crate::backoff::pauses;

const HEARTBEAT: Duration = Duration::from_millis(HEARTBEAT_MS);
/// How long the link may take to stand, and a message to be sent.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pauses between tries; a link that lived so long begins with the shortest again.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const LIVED: Duration = Duration::from_secs(10);
/// An edge that answered pings and has said nothing for so long is gone.
const SILENT: Duration = Duration::from_millis(3 * HEARTBEAT_MS);
/// Largest command.
const MOST_BYTES: usize = 64 * 1024;
/// Commands remembered, so that none is carried out twice.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(999);

/// The node as the link knows it.
#[async_trait]
pub trait LinkedNode: Send + Sync + 'static {
    /// The node's state now; asked once a heartbeat.
    fn heartbeat(&self) -> Heartbeat;

    /// Does what the edge says.
    ///
    /// # Errors
    /// Why it was not done, for the edge.
    async fn carry_out(&self, command: Command) -> Result<(), String>;
}

/// Keeps the link up.
pub struct Link {
    client: Arc<SignedClient>,
    node: Arc<dyn LinkedNode>,
    linked: watch::Sender<bool>,
    /// What became of the last commands.
    done: LruCache<String, Option<String>>,
}

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Edge(#[from] EdgeError),
    #[error("{0}")]
    Socket(#[from] SocketError),
    #[error("the edge closed it")]
    Closed,
    #[error("the edge says nothing any more")]
    Silent,
    #[error("a message could not be sent within {} s", PATIENCE.as_secs())]
    Stuck,
}

type Socket = WebSocketStream<Upgraded>;

// === impl Link ===

impl Link {
    /// `linked` tells others whether the link stands.
    pub fn new(client: Arc<SignedClient>, node: Arc<dyn LinkedNode>, linked: watch::Sender<bool>) -> Self {
        Self { client, node, linked, done: LruCache::new(REMEMBERED) }
    }

    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let fresh = || pauses(SHORTEST_PAUSE, LONGEST_PAUSE).build();
        let mut pauses = fresh();
        loop {
            let begun = Instant::now();
            let ended = self.hold(&stop).await;
            let was_linked = self.linked.send_replace(false);
            let Some(ended) = ended else { return };
            if was_linked && begun.elapsed() >= LIVED {
                pauses = fresh();
            }
            let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
            tracing::warn!(reason = %ended, pause_ms = pause.as_millis() as u64, "not linked to the edge");
            tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(pause) => {} }
        }
    }

    /// One link, from its beginning to its end; `None` if we ended it.
    async fn hold(&mut self, stop: &CancellationToken) -> Option<Ended> {
        let connected = tokio::select! {
            () = stop.cancelled() => return None,
            connected = self.connect() => connected,
        };
        match connected {
            Ok(socket) => self.converse(socket, stop).await.err(),
            Err(error) => Some(error.into()),
        }
    }

    async fn connect(&self) -> Result<Socket, EdgeError> {
        let path = format!("/v1/engine/link?node={}", percent_encoded(self.client.node()));
        let key = generate_key();
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        let malformed = |reason: &str| EdgeError::Malformed { url: path.clone(), reason: reason.to_owned() };
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_str(&key).map_err(|_| malformed("our own key"))?);
        let (stream, answer) = self.client.upgrade(&path, headers, PATIENCE).await?;
        let accepted = answer.get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
        if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(malformed("the WebSocket's key is not answered"));
        }
        let config = WebSocketConfig::default().max_message_size(Some(MOST_BYTES)).max_frame_size(Some(MOST_BYTES));
        Ok(WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await)
    }

    async fn converse(&mut self, mut socket: Socket, stop: &CancellationToken) -> Result<(), Ended> {
        let mut heartbeats = interval(HEARTBEAT);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answered_pings = false;
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    // It is over either way.
                    let _ = timeout(PATIENCE, socket.close(None)).await;
                    return Ok(());
                }
                _ = heartbeats.tick() => {
                    if answered_pings && heard.elapsed() >= SILENT {
                        return Err(Ended::Silent);
                    }
                    send(&mut socket, text(&NodeMessage::Heartbeat(self.node.heartbeat()))).await?;
                    send(&mut socket, Message::Ping(Bytes::new())).await?;
                    if !self.linked.send_replace(true) {
                        tracing::info!(edge = self.client.base_url(), "linked to the edge");
                    }
                }
                message = socket.next() => {
                    heard = Instant::now();
                    match message.ok_or(Ended::Closed)?? {
                        Message::Text(command) => {
                            if let Some(result) = self.obey(&command).await {
                                send(&mut socket, text(&result)).await?;
                            }
                        }
                        Message::Pong(_) => answered_pings = true,
                        Message::Close(_) => return Err(Ended::Closed),
                        Message::Ping(_) | Message::Binary(_) | Message::Frame(_) => {}
                    }
                }
            }
        }
    }

    /// Carries out a command, once; what is no command but has an id is answered too.
    async fn obey(&mut self, text: &str) -> Option<NodeMessage> {
        let command_id = match serde_json::from_str::<EdgeCommand>(text) {
            Ok(EdgeCommand { command_id, command }) => {
                if self.done.get(&command_id).is_none() {
                    tracing::info!(command_id, ?command, "the edge's command");
                    // Heartbeats wait meanwhile.
                    let done = timeout(PATIENCE, self.node.carry_out(command)).await;
                    let error = done.unwrap_or_else(|_| Err("it is not done in time".to_owned())).err();
                    if let Some(error) = &error {
                        tracing::info!(command_id, error, "the edge's command is not carried out");
                    }
                    self.done.put(command_id.clone(), error);
                }
                command_id
            }
            Err(error) => {
                tracing::warn!(%error, "the edge said what is no command");
                let message: serde_json::Value = serde_json::from_str(text).ok()?;
                let command_id = message.get("command_id")?.as_str()?.to_owned();
                self.done.put(command_id.clone(), Some(format!("not understood: {error}")));
                command_id
            }
        };
        let error = self.done.get(&command_id).cloned().flatten();
        Some(NodeMessage::CommandResult { command_id, error })
    }
}

async fn send(socket: &mut Socket, message: Message) -> Result<(), Ended> {
    Ok(timeout(PATIENCE, socket.send(message)).await.map_err(|_| Ended::Stuck)??)
}

fn text(message: &NodeMessage) -> Message {
    // Only maps with odd keys fail, and there are none.
    Message::text(serde_json::to_string(message).unwrap_or_default())
}

/// For a query (RFC 3986 section 2.1): everything but unreserved characters is escaped.
fn percent_encoded(name: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes()
        .map(|byte| if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests;
