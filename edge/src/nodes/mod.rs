//! Engine nodes: registry, link, weighted routing between two versions.
//! Calls are not looked at here.

mod link;
mod object;
mod rollout;
pub mod routing;
pub mod stats;
mod store;
pub mod verbs;

use edge_protocol::TransferMode;
use edge_protocol::link::Command;
use edge_protocol::live::NodeSummary;
use serde::Deserialize;
use serde_json::{Value, json};
use worker::{Method, Request, RequestInit, Response};

use crate::http::routes::RouteId;
use crate::http::{Answer, ApiError, Call, ok};
use crate::objects;
use verbs::{CommandAnswer, CommandQuestion, DrainAnswer, DrainQuestion};

/// Longest text of a transfer, bytes; what a node takes.
const MAX_TEXT: usize = 4_000;

pub async fn serve(id: RouteId, call: Call) -> Answer {
    match id {
        RouteId::Link => connect(&call).await,
        RouteId::Nodes => {
            let nodes: Vec<NodeSummary> = objects::ask(&call.env, "NODES", "nodes", "list", &json!({})).await?;
            let rollout = rollout(&call, "rollout_get", json!({})).await?;
            ok(&json!({ "nodes": nodes, "versions": rollout.get("versions") }))
        }
        RouteId::AdminDrain => drain(&call, "drain").await,
        RouteId::AdminUndrain => drain(&call, "undrain").await,
        RouteId::AdminTransfer => transfer(&call).await,
        RouteId::AdminRollout => ok(&rollout(&call, "rollout_get", json!({})).await?),
        RouteId::AdminRolloutChange => {
            let weights = rollout::read(&call.body)?;
            ok(&rollout(&call, "rollout_put", json!(weights)).await?)
        }
        _ => Err(ApiError::not_found("there is nothing here")),
    }
}

/// `GET /v1/engine/link?node=…`
async fn connect(call: &Call) -> Answer {
    let node = call.query("node").unwrap_or_default();
    check_name(node)?;
    if !call.header("upgrade").is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket")) {
        return Err(ApiError::new(426, "upgrade_required", "this is a WebSocket").with_header("upgrade", "websocket"));
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Get);
    let mut upgrade = Request::new_with_init("https://object/link", &init)?;
    upgrade.headers_mut()?.set("upgrade", "websocket")?;
    upgrade.headers_mut()?.set("x-node", node)?;
    Ok(call.env.durable_object("NODES")?.get_by_name("nodes")?.fetch_with_request(upgrade).await?)
}

async fn drain(call: &Call, verb: &str) -> Answer {
    let node = call.params.get("node").to_owned();
    check_name(&node)?;
    let answer: DrainAnswer = objects::ask(&call.env, "NODES", "nodes", verb, &DrainQuestion { node }).await?;
    Ok(Response::from_json(&answer)?.with_status(202))
}

/// Whom a call is given to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTransfer {
    to: String,
    mode: TransferMode,
    announce: Option<String>,
    consult: Option<String>,
}

/// `POST /v1/admin/nodes/{node}/calls/{call_id}/transfer`: the node is told to give a call away. Not for accounts: whoever
/// is called, is called at the expense of the node's trunk.
async fn transfer(call: &Call) -> Answer {
    let (node, call_id) = (call.params.get("node").to_owned(), call.params.get("call_id").to_owned());
    check_name(&node)?;
    let NewTransfer { to, mode, announce, consult } = call.json()?;
    let texts = [Some(&call_id), Some(&to), announce.as_ref(), consult.as_ref()];
    if to.is_empty() || texts.into_iter().flatten().any(|text| text.len() > MAX_TEXT) {
        return Err(ApiError::bad_request(format!(
            "to, announce, consult: at most {MAX_TEXT} bytes, and somebody to call"
        )));
    }
    let command = Command::Transfer { call_id, to, mode, announce, consult };
    let question = CommandQuestion { node, command };
    let answer: CommandAnswer = objects::ask(&call.env, "NODES", "nodes", "command", &question).await?;
    Ok(Response::from_json(&answer)?.with_status(202))
}

async fn rollout(call: &Call, verb: &str, question: Value) -> Result<Value, ApiError> {
    objects::ask(&call.env, "NODES", "nodes", verb, &question).await
}

fn check_name(node: &str) -> Result<(), ApiError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=64).contains(&node.len()) && node.bytes().all(plain) {
        return Ok(());
    }
    Err(ApiError::bad_request("node: must be 1 to 64 letters, digits, `-`, `_` or `.`"))
}
