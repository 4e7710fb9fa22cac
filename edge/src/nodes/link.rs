//! The nodes' links: sockets that hibernate, one a node, its name their tag.
//! What is said over them is kept by `object`.

use edge_protocol::link::{EdgeCommand, NodeMessage};
use worker::{Request, Response, State, WebSocket, WebSocketPair};

use crate::http::ApiError;

/// Longest message of a node, bytes.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// A link that has said something.
const SPOKE: &str = "spoke";
/// A link that is not its node's any more.
const REPLACED: &str = "replaced";

/// Takes a link; it replaces an older one of the same node.
///
/// # Errors
/// If no socket can be made.
pub fn accept(state: &State, request: &Request) -> Result<Response, ApiError> {
    let node = request.headers().get("x-node")?.filter(|node| !node.is_empty());
    let node = node.ok_or_else(|| ApiError::bad_request("a link without a node"))?;
    let pair = WebSocketPair::new()?;
    for older in state.get_websockets_with_tag(&node) {
        let spoke = mark(&older).as_deref() == Some(SPOKE);
        let _ = older.serialize_attachment(REPLACED);
        // workerd closes a socket that was never read from, but not its connection: who has not spoken is closed at
        // the first word, by `speaks`. Nodes report as soon as they are linked.
        if spoke {
            close_replaced(&older);
        }
    }
    state.accept_websocket_with_tags(&pair.server, &[&node]);
    Ok(Response::from_websocket(pair.client)?)
}

/// The open link of a node.
pub fn of(state: &State, node: &str) -> Option<WebSocket> {
    state.get_websockets_with_tag(node).into_iter().find(is_open)
}

/// A link said something: whose it is. One that was replaced is closed, and nobody's.
pub fn speaks(state: &State, link: &WebSocket) -> Option<String> {
    match mark(link).as_deref() {
        Some(REPLACED) => {
            close_replaced(link);
            return None;
        }
        Some(_) => {}
        None => {
            let _ = link.serialize_attachment(SPOKE);
        }
    }
    state.get_tags(link).into_iter().next()
}

/// Reads a message.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &str) -> Result<NodeMessage, String> {
    if text.len() > MAX_MESSAGE_BYTES {
        return Err(format!("a message has at most {MAX_MESSAGE_BYTES} bytes"));
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Whether the command is on its way.
pub fn send(state: &State, node: &str, command: &EdgeCommand) -> bool {
    of(state, node).is_some_and(|link| link.send(command).is_ok())
}

fn is_open(link: &WebSocket) -> bool {
    // 1: OPEN.
    mark(link).as_deref() != Some(REPLACED) && link.as_ref().ready_state() == 1
}

fn mark(link: &WebSocket) -> Option<String> {
    link.deserialize_attachment().ok().flatten()
}

fn close_replaced(link: &WebSocket) {
    let _ = link.close(Some(4000), Some("replaced by a newer link"));
}
