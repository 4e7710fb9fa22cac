//! A stand-in for a node, as the edge sees one: its link with heartbeats, and `/ws/tandem` that says back what it hears,
//! so that what is measured is the edge alone. It understands nothing; the real node is `tandem`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use edge_protocol::link::{Command, Heartbeat, NodeStatus};
use edge_protocol::media::{FromNode, ToNode};
use edge_protocol::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, verify};
use edge_protocol::{EndCause, VERSION};
use engine::control::{Link, LinkedNode, SignedClient};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A stand-in and what it is called.
pub struct EchoNode {
    name: String,
    address: SocketAddr,
    secret: String,
    max_calls: u32,
    calls: AtomicU32,
    started: Instant,
}

// === impl EchoNode ===

impl EchoNode {
    pub fn new(name: String, address: SocketAddr, secret: String, max_calls: u32) -> Self {
        Self { name, address, secret, max_calls, calls: AtomicU32::new(0), started: Instant::now() }
    }

    /// Serves until `stop`, linked to the edge that `client` speaks to.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        client: SignedClient,
        stop: CancellationToken,
    ) -> std::io::Result<()> {
        let node = Arc::new(self);
        let (linked, _) = watch::channel(false);
        tokio::spawn(Link::new(Arc::new(client), node.clone(), linked).run(stop.clone()));
        let router = Router::new().route("/ws/tandem", get(upgrade)).with_state(node);
        axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
    }

    async fn converse(&self, mut socket: WebSocket) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        while let Some(Ok(message)) = socket.recv().await {
            let Ok(text) = message.into_text() else { continue };
            let answer = match serde_json::from_str(&text) {
                Ok(ToNode::Start { call_id, .. }) => FromNode::Started { call_id: call_id.unwrap_or_default() },
                Ok(ToNode::Audio { data }) => FromNode::Audio { data },
                Ok(ToNode::Hangup) => FromNode::Ended { cause: EndCause::CallerHungUp },
                Ok(ToNode::Dtmf { .. }) => continue,
                Err(error) => FromNode::Error { message: error.to_string() },
            };
            let Ok(said) = serde_json::to_string(&answer) else { break };
            let over = matches!(answer, FromNode::Ended { .. });
            if socket.send(Message::text(said)).await.is_err() || over {
                break;
            }
        }
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl LinkedNode for EchoNode {
    fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            v: VERSION,
            node: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            status: NodeStatus::Ok,
            http_url: format!("http://{}", self.address),
            active_calls: self.calls.load(Ordering::Relaxed),
            max_calls: self.max_calls,
            uptime_s: self.started.elapsed().as_secs(),
            late_slots: 0.0,
            cpu_cores: 0.0,
            memory_bytes: 0,
            events_waiting: 0,
            recordings_waiting: 0,
        }
    }

    async fn carry_out(&self, _: Command) -> Result<(), String> {
        Err("a stand-in carries nothing out".to_owned())
    }
}

async fn upgrade(
    State(node): State<Arc<EchoNode>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    socket: WebSocketUpgrade,
) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let secret = node.secret.as_bytes();
    match verify(secret, header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER), path.as_bytes(), now_ms) {
        Ok(_) => socket.on_upgrade(async move |socket| node.converse(socket).await),
        Err(error) => (StatusCode::UNAUTHORIZED, error.to_string()).into_response(),
    }
}
