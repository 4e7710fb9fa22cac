//! An edge for one node on loopback: admits every call, applies events once and in order, sends commands; or is away.
//! The real edge has its own tests; this one keeps the contract in as few lines as it can.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use edge_protocol::CallEvent;
use edge_protocol::admission::{Acceptance, AdmissionAnswer, AdmissionRequest};
use edge_protocol::delivery::{BatchReceipt, CallReceipt, EventBatch};
use edge_protocol::link::{EdgeCommand, NodeMessage};
use edge_protocol::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, verify};
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast};

use crate::node::Settings;

const SECRET: &str = "shared by edge and node";

pub struct FakeEdge {
    url: String,
    inside: Arc<Inside>,
}

struct Inside {
    acceptance: Acceptance,
    /// Everything is answered with 503.
    away: AtomicBool,
    calls: Mutex<BTreeMap<String, Vec<CallEvent>>>,
    told: Mutex<Vec<NodeMessage>>,
    changed: Notify,
    commands: broadcast::Sender<String>,
}

// === impl FakeEdge ===

impl FakeEdge {
    /// Answers every question with this acceptance.
    pub async fn start(acceptance: Acceptance) -> Result<Self> {
        let inside = Arc::new(Inside {
            acceptance,
            away: AtomicBool::new(false),
            calls: Mutex::default(),
            told: Mutex::default(),
            changed: Notify::new(),
            commands: broadcast::Sender::new(16),
        });
        let routes = Router::new()
            .route("/v1/engine/admissions", post(admit))
            .route("/v1/engine/events", post(take))
            .route("/v1/engine/link", get(link))
            .layer(from_fn_with_state(inside.clone(), unless_away))
            .with_state(inside.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(axum::serve(listener, routes).into_future());
        Ok(Self { url, inside })
    }

    /// What a node needs to know of it.
    pub fn settings(&self) -> Settings {
        vec![("TANDEM_EDGE__URL", self.url.clone()), ("TANDEM_EDGE__SECRET", SECRET.to_owned())]
    }

    pub fn set_away(&self, away: bool) {
        self.inside.away.store(away, Relaxed);
    }

    pub fn command(&self, command: &EdgeCommand) -> Result<()> {
        self.inside.commands.send(serde_json::to_string(command)?).context("no node is linked")?;
        Ok(())
    }

    /// Events of all calls, once `enough` says so.
    pub async fn calls(
        &self,
        within: Duration,
        enough: impl Fn(&[Vec<CallEvent>]) -> bool,
    ) -> Result<Vec<Vec<CallEvent>>> {
        self.until(within, |inside| {
            let calls: Vec<_> = inside.calls.lock().expect("calls").values().cloned().collect();
            enough(&calls).then_some(calls)
        })
        .await
        .with_context(|| format!("the edge has {:#?}", self.inside.calls.lock().expect("calls")))
    }

    /// The first message from here on that `wanted` accepts.
    pub async fn message(&self, within: Duration, wanted: impl Fn(&NodeMessage) -> bool) -> Result<NodeMessage> {
        self.until(within, |inside| inside.told.lock().expect("messages").iter().find(|m| wanted(m)).cloned()).await
    }

    async fn until<T>(&self, within: Duration, look: impl Fn(&Inside) -> Option<T>) -> Result<T> {
        let found = async {
            loop {
                let changed = self.inside.changed.notified();
                if let Some(found) = look(&self.inside) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(within, found).await.context("it did not come")
    }
}

async fn unless_away(State(edge): State<Arc<Inside>>, request: Request, next: Next) -> Response {
    if edge.away.load(Relaxed) { StatusCode::SERVICE_UNAVAILABLE.into_response() } else { next.run(request).await }
}

fn check(headers: &HeaderMap, signed: &[u8]) {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let now: u64 = header(TIMESTAMP_HEADER).and_then(|stamp| stamp.parse().ok()).expect("a timestamp");
    verify(SECRET.as_bytes(), header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER), signed, now)
        .expect("a good signature");
}

async fn admit(State(edge): State<Arc<Inside>>, headers: HeaderMap, body: Bytes) -> Json<AdmissionAnswer> {
    check(&headers, &body);
    serde_json::from_slice::<AdmissionRequest>(&body).expect("an admission request");
    Json(AdmissionAnswer::Accept(edge.acceptance.clone()))
}

async fn take(State(edge): State<Arc<Inside>>, headers: HeaderMap, body: Bytes) -> Json<BatchReceipt> {
    check(&headers, &body);
    let batch: EventBatch = serde_json::from_slice(&body).expect("a batch");
    let mut calls = edge.calls.lock().expect("calls");
    let mut next = BTreeMap::new();
    for event in batch.events {
        let call = calls.entry(event.call_id.clone()).or_default();
        let call_id = event.call_id.clone();
        if event.seq == call.len() as u64 {
            call.push(event);
        }
        next.insert(call_id, call.len() as u64);
    }
    edge.changed.notify_waiters();
    let receipts = next.into_iter().map(|(call_id, next_seq)| CallReceipt { call_id, next_seq, error: None });
    Json(BatchReceipt { receipts: receipts.collect() })
}

async fn link(State(edge): State<Arc<Inside>>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    check(&headers, b"/v1/engine/link?node=node-1");
    upgrade.on_upgrade(async move |socket| converse(edge, socket).await)
}

async fn converse(edge: Arc<Inside>, mut socket: WebSocket) {
    let mut commands = edge.commands.subscribe();
    loop {
        tokio::select! {
            Ok(command) = commands.recv() => if socket.send(Message::text(command)).await.is_err() { return },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let message = serde_json::from_str(&text).expect("a message of the contract");
                    edge.told.lock().expect("messages").push(message);
                    edge.changed.notify_waiters();
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    }
}
