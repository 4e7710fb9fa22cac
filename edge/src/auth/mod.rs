//! Who asks: signed engines and admins, people with sessions, API keys, call tokens.
//! What they may do with an account is that account's feature's.

mod replay_guard;

use edge_protocol::signature::{self, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use worker::{Env, Request, Url};

use crate::http::routes::{Access, RouteId};
use crate::http::{Answer, ApiError, Call};

/// Who a request comes from, once its credentials were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    Nobody,
    Engine,
    Admin,
    Person {
        /// `per_…`; `None` before sign-up.
        person_id: Option<String>,
        /// `sub` of the token.
        subject: String,
        /// The account meant; `None` if the person belongs to none.
        account_id: Option<String>,
    },
    ApiKey {
        key_id: String,
        account_id: String,
    },
    CallToken {
        call_id: String,
        account_id: String,
        user_id: String,
    },
}

// === impl Caller ===

impl Caller {
    pub fn account_id(&self) -> Option<&str> {
        match self {
            Self::Nobody | Self::Engine | Self::Admin => None,
            Self::Person { account_id, .. } => account_id.as_deref(),
            Self::ApiKey { account_id, .. } | Self::CallToken { account_id, .. } => Some(account_id),
        }
    }
}

/// Checks the credentials a route asks for.
///
/// # Errors
/// 401 without good credentials, 403 with good ones of the wrong kind or account.
pub async fn authenticate(
    access: Access,
    request: &Request,
    url: &Url,
    body: &[u8],
    env: &Env,
    now_ms: u64,
) -> Result<Caller, ApiError> {
    match access {
        Access::Public | Access::Dev => Ok(Caller::Nobody),
        Access::Engine => signed(request, url, body, env, "ENGINE_SECRET", now_ms).map(|()| Caller::Engine),
        Access::Admin => signed(request, url, body, env, "ADMIN_SECRET", now_ms).map(|()| Caller::Admin),
        Access::Person | Access::Member | Access::CallToken => Err(ApiError::unauthorized("not built yet")),
    }
}

/// Checks the signature of an engine or admin request.
fn signed(request: &Request, url: &Url, body: &[u8], env: &Env, secret: &str, now_ms: u64) -> Result<(), ApiError> {
    let secret = env.secret(secret)?.to_string();
    let (timestamp, signature) = (request.headers().get(TIMESTAMP_HEADER)?, request.headers().get(SIGNATURE_HEADER)?);
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let signed = if body.is_empty() { path.as_bytes() } else { body };
    signature::verify(secret.as_bytes(), timestamp.as_deref(), signature.as_deref(), signed, now_ms)
        .map_err(|error| ApiError::unauthorized(error.to_string()))
}

pub async fn serve(_id: RouteId, _call: Call) -> Answer {
    Err(ApiError::not_found("not built yet"))
}
