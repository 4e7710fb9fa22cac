//! The live feed of an account: what its dashboards see as it happens.
//! Facts come from `calls`, `nodes` and `accounts`.

mod object;
mod store;

use worker::{Method, Request, RequestInit};

use crate::auth::Caller;
use crate::http::{Answer, ApiError, Call};

/// The subprotocol of the feed.
const PROTOCOL: &str = "tandem.v1";

/// A socket opened with an API key lives so long, ms.
const KEY_LIFE_MS: u64 = 3_600_000;

/// `GET /v1/live`: handed to the account's feed. The socket lives as long as the session's token, or an hour with an API
/// key: then it closes with 4401 and the client opens another. A session or key that was revoked therefore sees the
/// feed for the short rest of that life, and opens no other.
///
/// # Errors
/// 426 for what is no WebSocket.
pub async fn serve(call: Call) -> Answer {
    let account_id = call.account_id()?;
    if !call.header("upgrade").is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket")) {
        return Err(ApiError::new(426, "upgrade_required", "this is a WebSocket").with_header("upgrade", "websocket"));
    }
    let offered = call.header("sec-websocket-protocol").unwrap_or_default();
    let mut init = RequestInit::new();
    init.with_method(Method::Get);
    let mut upgrade = Request::new_with_init("https://object/live", &init)?;
    let headers = upgrade.headers_mut()?;
    headers.set("upgrade", "websocket")?;
    headers.set("x-account", account_id)?;
    let expires_at_ms = match call.caller {
        Caller::Person { expires_at_ms, .. } => expires_at_ms,
        _ => call.now_ms + KEY_LIFE_MS,
    };
    headers.set("x-expires", &expires_at_ms.to_string())?;
    if offered.split(',').any(|protocol| protocol.trim() == PROTOCOL) {
        headers.set("sec-websocket-protocol", PROTOCOL)?;
    }
    Ok(call.env.durable_object("LIVE_FEEDS")?.get_by_name(account_id)?.fetch_with_request(upgrade).await?)
}
