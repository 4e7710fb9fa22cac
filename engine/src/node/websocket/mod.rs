//! Calls over WebSockets: one route a dialect, all of them over one session.
//! Who may open one is `gate`'s, what a session is `session`'s, how a dialect spells it its own file's.

mod allowance;
mod asterisk;
mod audio_format;
pub mod audiosocket;
pub(crate) mod dialect;
mod gate;
#[cfg(test)]
mod golden;
mod jambonz;
mod payload;
mod session;
mod tandem;
mod telnyx;
mod twilio;
mod vonage;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, OriginalUri, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

pub use gate::SeenSignatures;

use super::admission::RETRY_AFTER;
use super::{Node, Status};
use asterisk::Asterisk;
use dialect::Dialect;
use gate::{Gate, Refusal};
use jambonz::Jambonz;
use session::Session;
use tandem::Tandem;
use telnyx::Telnyx;
use twilio::Twilio;
use twilio::signature::Verifier;
use vonage::Vonage;

use crate::wall_clock::unix_ms;

/// Longest message of a client; a second of audio is a sixth of it.
const MAX_MESSAGE_BYTES: usize = 64 << 10;

/// What may wait to be written to a client before it counts as gone: some 20 s of audio.
const MAX_UNSENT_BYTES: usize = 256 << 10;

const TWILIO: &str = "/ws/twilio";

/// All dialects' routes.
pub fn routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/ws/tandem", get(open::<Tandem>))
        .route(TWILIO, get(open::<Twilio>))
        .route("/ws/telnyx", get(open::<Telnyx>))
        .route("/ws/vonage", get(open::<Vonage>))
        .route("/ws/jambonz", get(open::<Jambonz>))
        .route("/ws/asterisk", get(open::<Asterisk>))
}

async fn open<D: Dialect>(
    State(node): State<Arc<Node>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let signed_part = uri.path_and_query().map_or_else(|| uri.path(), |p| p.as_str());
    let secret = node.config.edge.is_set().then(|| node.config.edge.secret.0.as_bytes());
    let twilio = (uri.path() == TWILIO).then(|| Verifier::new(&node.config.twilio)).flatten();
    let token = node.config.websocket_token.0.as_bytes();
    let gate = Gate { secret, open: node.config.websocket_open, seen: &node.signatures, token, twilio };
    let signed = match gate.admit(peer, signed_part, &headers, unix_ms()) {
        Ok(entry) => entry == gate::Entry::Signed,
        Err(refusal) => {
            tracing::info!(%peer, reason = %refusal, "a WebSocket is refused");
            node.refused("unauthorised");
            return refused(&refusal, None);
        }
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade.protocols(D::SUBPROTOCOLS.iter().copied()),
        Err(rejection) => {
            return refused(
                &Refusal { status: rejection.status(), code: "not_a_websocket", reason: rejection.body_text() },
                None,
            );
        }
    };
    // What is no query has nothing to tell.
    let query = Query::<Vec<(String, String)>>::try_from_uri(&uri).map(|query| query.0).unwrap_or_default();
    take::<D>(node, upgrade, peer, signed, query)
}

/// Upgrades if there is room for a call.
fn take<D: Dialect>(
    node: Arc<Node>,
    upgrade: WebSocketUpgrade,
    peer: SocketAddr,
    signed: bool,
    query: Vec<(String, String)>,
) -> Response {
    let refuse = |code, label, reason: &str| {
        node.refused(label);
        refused(
            &Refusal { status: StatusCode::SERVICE_UNAVAILABLE, code, reason: reason.to_owned() },
            Some(RETRY_AFTER),
        )
    };
    let place = match node.status() {
        Status::Draining => return refuse("draining", "draining", "this node takes no new calls"),
        Status::Busy => None,
        Status::Ok => node.cap.enter(),
    };
    let Some(place) = place else {
        return refuse("full", "full", "this node has too many calls");
    };
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .max_write_buffer_size(MAX_UNSENT_BYTES)
        .on_upgrade(move |socket| {
            let mut session = Session::new(node, socket, D::new(&query), peer);
            (session.signed, session.query) = (signed, query);
            session.run(place)
        })
}

/// Has every dialect read this as a client's first text message.
#[cfg(fuzzing)]
pub(crate) fn read_by_all(text: &str) {
    fn read<D: Dialect>(text: &str) {
        let mut dialect = D::new(&[]);
        let _ = dialect.read(&axum::extract::ws::Message::text(text));
        let _ = dialect.read(&axum::extract::ws::Message::binary(text.as_bytes().to_vec()));
        let _ = dialect.write(dialect::ToClient::Audio(&[0; 160]));
    }
    let all = [read::<Tandem>, read::<Twilio>, read::<Telnyx>, read::<Vonage>, read::<Jambonz>, read::<Asterisk>];
    all.into_iter().chain([read::<audiosocket::AudioSocket> as fn(&str)]).for_each(|read| read(text));
}

fn refused(refusal: &Refusal, retry_after: Option<Duration>) -> Response {
    let body = serde_json::json!({ "error": { "code": refusal.code, "message": refusal.reason } }).to_string() + "\n";
    let mut response = (refusal.status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    if let Some(after) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, after.as_secs().into());
    }
    response
}
