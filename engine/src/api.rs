//! The node's HTTP: health, metrics, events as they happen, and who may ask for more than health.
//! Calls are in `calls`; those that come over HTTP, as WebSockets, are `node::websocket`'s.

mod calls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::{Stream, StreamExt};
use serde::Serialize;
use tokio_stream::wrappers::BroadcastStream;

use crate::node::{EdgeState, Node, Status, websocket_routes};
use calls::Problem;

/// `/health`: 200 while calls are taken, 503 while not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    status: Status,
    node: String,
    version: &'static str,
    active_calls: usize,
    /// Seconds.
    uptime: u64,
    /// An edge that is away makes a node no less healthy.
    edge: EdgeState,
    /// Events the edge has not taken yet.
    events_waiting: u64,
}

/// All routes.
pub fn routes(node: Arc<Node>) -> Router {
    let guarded = Router::new()
        .route("/v1/events", get(events))
        .merge(calls::routes())
        .layer(from_fn_with_state(node.clone(), guard));
    Router::new()
        .route("/health", get(health))
        .route("/metrics", get(metrics_page))
        .merge(guarded)
        .merge(websocket_routes())
        .with_state(node)
}

/// With a token configured, `/v1` wants it. Without one, only this machine may make calls or tell them anything.
async fn guard(
    State(node): State<Arc<Node>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = shown.and_then(|value| value.strip_prefix("Bearer "));
    let reads = request.method() == Method::GET && !node.api_wants_token();
    if reads || node.api_allows(token, peer.ip()) {
        return next.run(request).await;
    }
    let wanted = "the configured api_token as a bearer token is needed; without one, calls are told things from this \
                  machine only";
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", wanted);
    ([(header::WWW_AUTHENTICATE, "Bearer")], problem).into_response()
}

async fn health(State(node): State<Arc<Node>>) -> Response {
    let status = node.status();
    let code = if status == Status::Ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let health = Health {
        status,
        node: node.name().to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        active_calls: node.active_calls(),
        uptime: node.uptime().as_secs(),
        edge: node.edge_state(),
        events_waiting: node.events_waiting(),
    };
    (code, Json(health)).into_response()
}

async fn metrics_page(State(node): State<Arc<Node>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], node.metrics_page()).into_response()
}

/// Events of all calls from now on, one `data:` line of JSON each. A reader too slow to keep up is told how many
/// it missed by an event named `missed`; the journal on disk has them.
async fn events(State(node): State<Arc<Node>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = BroadcastStream::new(node.subscribe()).map(|event| {
        Ok(match event {
            Ok(event) => {
                Event::default().json_data(&*event).unwrap_or_else(|e| Event::default().comment(e.to_string()))
            }
            Err(tokio_stream::wrappers::errors::BroadcastStreamRecvError::Lagged(missed)) => {
                Event::default().event("missed").data(missed.to_string())
            }
        })
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
