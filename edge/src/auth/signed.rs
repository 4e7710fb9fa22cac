//! Requests signed by an engine or an admin: the right secret, the right time, and never twice.
//! What is signed and how is `edge_protocol::signature`'s.

use edge_protocol::signature::{self, AHEAD_MS, SIGNATURE_HEADER, TIMESTAMP_HEADER, WINDOW_MS};
use worker::{Env, Request, Url};

use super::replay_guard::{FirstTime, shard};
use super::settings;
use crate::http::ApiError;
use crate::objects;

/// Longer than a signature can be good for, ms: isolates' clocks differ a little.
const REMEMBERED_MS: u64 = WINDOW_MS + AHEAD_MS;

/// When it is safe on disk that a signature was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Before the request is served: what admins ask for is rare, and not always the same when done twice.
    AtOnce,
    /// Half a second later, with many others: what engines ask for twice is done once anyway.
    Soon,
}

/// Checks what can be checked before the body is read.
///
/// # Errors
/// 401 naming what is wrong.
pub fn precheck(request: &Request, now_ms: u64) -> Result<(), ApiError> {
    let (timestamp, signature) = (request.headers().get(TIMESTAMP_HEADER)?, request.headers().get(SIGNATURE_HEADER)?);
    signature::precheck(timestamp.as_deref(), signature.as_deref(), now_ms)
        .map_err(|error| ApiError::unauthorized(error.to_string()))
}

/// Checks the signature; a replay is not noticed here.
///
/// # Errors
/// 401 naming what is wrong with it.
pub fn verify(
    secret_name: &str,
    request: &Request,
    url: &Url,
    body: &[u8],
    env: &Env,
    now_ms: u64,
) -> Result<(), ApiError> {
    // An empty secret would be one that everybody knows.
    let secret =
        settings::text(env, secret_name).ok_or_else(|| ApiError::internal(format!("{secret_name} is not set")))?;
    let (timestamp, signature) = (request.headers().get(TIMESTAMP_HEADER)?, request.headers().get(SIGNATURE_HEADER)?);
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let signed = if body.is_empty() { path.as_bytes() } else { body };
    signature::verify(secret.as_bytes(), timestamp.as_deref(), signature.as_deref(), signed, now_ms)
        .map_err(|error| ApiError::unauthorized(error.to_string()))
}

/// Sees to it that a good signature is used once.
///
/// # Errors
/// 401 for a replay; 503 if nobody can tell.
pub async fn first_time(request: &Request, env: &Env, now_ms: u64, kept: Kept) -> Result<(), ApiError> {
    let signature = request.headers().get(SIGNATURE_HEADER)?.unwrap_or_default();
    let digits = signature.trim_start_matches("v1=").to_owned();
    let shard = shard(&digits);
    let question = FirstTime { signature: digits, until_ms: now_ms + REMEMBERED_MS, durable: kept == Kept::AtOnce };
    match objects::ask::<_, bool>(env, "REPLAY_GUARDS", shard, "first_time", &question).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(ApiError::unauthorized("the request was sent before")),
        Err(error) => {
            worker::console_error!("replay guard {shard}: {} {}", error.status, error.message);
            Err(ApiError::unavailable("whether the request was sent before cannot be told now"))
        }
    }
}
