//! `/v1/calls`: the calls a node holds, calls it is asked to make, and what a live call is told.
//! What a call does with it is the node's business; here are only its shapes over HTTP, and the status codes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use edge_protocol::TransferMode;
use serde::{Deserialize, Serialize};

use crate::call::WhenLeft;
use crate::node::{AgentOrder, CallWish, LiveCall, MAX_TEXT_BYTES, Node, NotPlaced, OrderError, TransferOrder, Wanted};

/// When a caller of the API may try again, seconds.
const RETRY_AFTER_S: u64 = 2;

/// `POST /v1/calls`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCall {
    to: String,
    from: Option<String>,
    trunk: Option<String>,
    agent: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    ring_timeout_s: Option<u32>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct Placed {
    call_id: String,
}

/// `POST /v1/calls/{id}/transfer`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTransfer {
    to: String,
    mode: TransferMode,
    trunk: Option<String>,
    /// Said to the caller first.
    announce: Option<String>,
    /// `attended`: said to the other party first. Of a call over a WebSocket: told to its client as the reason.
    consult: Option<String>,
    /// What becomes of the caller when the other party hangs up.
    #[serde(default)]
    after: After,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum After {
    #[default]
    HangUp,
    Agent,
}

/// `POST /v1/calls/{id}/say` and `/instructions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    text: String,
}

/// `POST /v1/calls/{id}/dtmf`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// `0`-`9`, `*`, `#`, `A`-`D`, and commas for pauses.
    digits: String,
}

/// An answer that says no, as every route of the node says it.
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
}

/// The routes.
pub fn routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/v1/calls", get(list).post(place))
        .route("/v1/calls/{id}", get(one))
        .route("/v1/calls/{id}/hangup", post(hang_up))
        .route("/v1/calls/{id}/transfer", post(transfer))
        .route("/v1/calls/{id}/unbridge", post(unbridge))
        .route("/v1/calls/{id}/hold", post(hold))
        .route("/v1/calls/{id}/resume", post(resume))
        .route("/v1/calls/{id}/dtmf", post(press))
        .route("/v1/calls/{id}/say", post(say))
        .route("/v1/calls/{id}/instructions", post(instruct))
}

async fn list(State(node): State<Arc<Node>>) -> Json<Vec<LiveCall>> {
    Json(node.live_calls())
}

async fn one(State(node): State<Arc<Node>>, Path(id): Path<String>) -> Result<Json<LiveCall>, Problem> {
    node.live_call(&id).map(Json).ok_or_else(|| OrderError::NoSuchCall.into())
}

async fn place(
    State(node): State<Arc<Node>>,
    body: Result<Json<NewCall>, JsonRejection>,
) -> Result<(StatusCode, Json<Placed>), Problem> {
    let Json(NewCall { to, from, trunk, agent, headers, ring_timeout_s, variables }) = body?;
    let call_id = node.place_call(CallWish { to, from, trunk, agent, headers, ring_timeout_s, variables }).await?;
    Ok((StatusCode::ACCEPTED, Json(Placed { call_id })))
}

async fn hang_up(State(node): State<Arc<Node>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    if node.hang_up(&id) { Ok(StatusCode::ACCEPTED) } else { Err(OrderError::NoSuchCall.into()) }
}

async fn transfer(
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
    body: Result<Json<NewTransfer>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(wanted) = body?;
    let text = |text: Option<String>| text.map(|text| checked("announce and consult", text)).transpose();
    let order = TransferOrder {
        mode: wanted.mode,
        to: wanted.to,
        trunk: wanted.trunk,
        announce: text(wanted.announce)?,
        consult: text(wanted.consult)?,
        when_left: match wanted.after {
            After::HangUp => WhenLeft::HangUp,
            After::Agent => WhenLeft::Agent,
        },
    };
    told(&node, &id, Wanted::Transfer(order)).await
}

async fn unbridge(State(node): State<Arc<Node>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    told(&node, &id, Wanted::Unbridge).await
}

async fn hold(State(node): State<Arc<Node>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    told(&node, &id, Wanted::Hold).await
}

async fn resume(State(node): State<Arc<Node>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    told(&node, &id, Wanted::Resume).await
}

async fn press(
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
    body: Result<Json<Keys>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(Keys { digits }) = body?;
    told(&node, &id, Wanted::Press(checked("digits", digits)?)).await
}

async fn say(
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
    body: Result<Json<Text>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(Text { text }) = body?;
    told(&node, &id, Wanted::Agent(AgentOrder::Say(checked("text", text)?))).await
}

async fn instruct(
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
    body: Result<Json<Text>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(Text { text }) = body?;
    told(&node, &id, Wanted::Agent(AgentOrder::Instruct(checked("text", text)?))).await
}

async fn told(node: &Node, id: &str, wanted: Wanted) -> Result<StatusCode, Problem> {
    node.order(id, wanted).await?;
    Ok(StatusCode::ACCEPTED)
}

fn checked(name: &str, text: String) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_TEXT_BYTES {
        let message = format!("{name}: {} bytes; must be 1 to {MAX_TEXT_BYTES}", text.len());
        return Err(OrderError::BadValue(message).into());
    }
    Ok(text.to_owned())
}

// === impl Problem ===

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, message: impl ToString) -> Self {
        Self { status, code, message: message.to_string() }
    }
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        let (status, code) = match &error {
            OrderError::Destination(_) => (StatusCode::UNPROCESSABLE_ENTITY, "bad_destination"),
            OrderError::NoSuchCall => (StatusCode::NOT_FOUND, "no_such_call"),
            OrderError::WrongState(_) => (StatusCode::CONFLICT, "wrong_state"),
            OrderError::NotPossible(_) => (StatusCode::CONFLICT, "not_possible"),
            OrderError::BadValue(_) => (StatusCode::UNPROCESSABLE_ENTITY, "bad_value"),
        };
        Self::new(status, code, error)
    }
}

impl From<NotPlaced> for Problem {
    fn from(error: NotPlaced) -> Self {
        match error {
            NotPlaced::Destination(error) => OrderError::from(error).into(),
            NotPlaced::BadValue(message) => OrderError::BadValue(message).into(),
            NotPlaced::Refused(_) => Self::new(StatusCode::FORBIDDEN, "refused", error),
            NotPlaced::Dial(_) | NotPlaced::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error),
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), "bad_request", rejection.body_text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": { "code": self.code, "message": self.message } });
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
        }
        response
    }
}
