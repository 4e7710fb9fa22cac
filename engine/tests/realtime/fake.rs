//! A Realtime server on loopback that is played by the test: it takes connections, says what it is told to, and hands
//! over what it hears. It knows nothing of what a right answer would be.

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::LONG;

pub struct Fake {
    pub base_url: String,
    arrived: UnboundedReceiver<Connection>,
    server: JoinHandle<()>,
}

/// A client's connection, from its request on.
pub struct Connection {
    pub path_and_query: String,
    pub headers: HeaderMap,
    pub socket: WebSocket,
}

#[derive(Clone)]
struct Shared {
    arrived: UnboundedSender<Connection>,
    /// Refuse every connection with this status.
    refuses: Option<StatusCode>,
}

// === impl Fake ===

impl Fake {
    pub async fn start() -> Self {
        Self::serve(None).await
    }

    pub async fn refusing(status: StatusCode) -> Self {
        Self::serve(Some(status)).await
    }

    async fn serve(refuses: Option<StatusCode>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let base_url = format!("ws://{}/v1", listener.local_addr().expect("an address"));
        let (sender, arrived) = unbounded_channel();
        let router = Router::new().route("/v1/realtime", get(answer)).with_state(Shared { arrived: sender, refuses });
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("the fake serves") });
        Self { base_url, arrived, server }
    }

    /// The next connection a client makes.
    pub async fn connection(&mut self) -> Connection {
        timeout(LONG, self.arrived.recv()).await.expect("a client connects").expect("the server runs")
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

// === impl Connection ===

impl Connection {
    pub async fn says(&mut self, event: Value) {
        self.says_text(&event.to_string()).await;
    }

    pub async fn says_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("the client is there");
    }

    /// The next event of this type; what comes before it is passed over.
    pub async fn hears(&mut self, kind: &str) -> Value {
        loop {
            let message = timeout(LONG, self.socket.recv()).await.unwrap_or_else(|_| panic!("no {kind}"));
            let Some(Ok(Message::Text(text))) = message else { panic!("the connection is gone before {kind}") };
            let event: Value = serde_json::from_str(&text).expect("JSON");
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Waits until the client has closed the connection.
    pub async fn is_closed(&mut self) {
        let closed = async { while let Some(Ok(_)) = self.socket.recv().await {} };
        timeout(LONG, closed).await.expect("the client closes");
    }
}

async fn answer(State(shared): State<Shared>, upgrade: WebSocketUpgrade, request: Request) -> Response {
    if let Some(status) = shared.refuses {
        return (status, "not today").into_response();
    }
    let path_and_query = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let headers = request.headers().clone();
    upgrade.on_upgrade(async move |socket| {
        // The test may be over already.
        let _ = shared.arrived.send(Connection { path_and_query, headers, socket });
    })
}
