//! Who asks: signed engines and admins, people with sessions, API keys, call tokens.
//! What they may do with an account is that account's feature's.

pub mod api_key;
pub mod call_token;
mod crypto;
mod dev;
mod jwks;
pub mod jwt;
pub mod key_cache;
mod loopback;
mod members;
mod replay_guard;
mod seen;
mod sessions;
pub mod settings;
pub mod signed;
pub mod turnstile;

use edge_protocol::signature::SIGNATURE_HEADER;
use worker::{Env, Request, Url};

use crate::http::routes::{Access, RouteId};
use crate::http::{Answer, ApiError, Call};
use crate::limits;
use signed::Kept;

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
        /// As the issuer knows it; `None` if its tokens do not say.
        email: Option<String>,
        /// The account meant; `None` if the person belongs to none.
        account_id: Option<String>,
        /// Until when the token is good, ms since the Unix epoch.
        expires_at_ms: u64,
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

/// A caller and what their account allows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub caller: Caller,
    /// `None`: the caller acts for no account, or is not limited by it.
    pub requests_per_minute: Option<u32>,
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

// === impl Member ===

impl Member {
    /// A caller no account limits.
    fn unlimited(caller: Caller) -> Self {
        Self { caller, requests_per_minute: None }
    }
}

/// A request whose credentials are to be checked.
pub struct Incoming<'a> {
    pub access: Access,
    pub request: &'a Request,
    pub url: &'a Url,
    pub body: &'a [u8],
    /// Where it comes from.
    pub address: &'a str,
}

/// Checks the credentials a route asks for.
///
/// # Errors
/// 401 without good credentials, 403 with good ones of the wrong kind, account or address.
pub async fn authenticate(incoming: Incoming<'_>, env: &Env, now_ms: u64) -> Result<Member, ApiError> {
    let Incoming { access, request, url, body, address } = incoming;
    match access {
        Access::Public | Access::Dev => Ok(Member::unlimited(Caller::Nobody)),
        Access::Engine => {
            signed::verify("ENGINE_SECRET", request, url, body, env, now_ms)?;
            signed::first_time(request, env, now_ms, Kept::Soon).await?;
            Ok(Member::unlimited(Caller::Engine))
        }
        Access::Admin => {
            signed::verify("ADMIN_SECRET", request, url, body, env, now_ms)?;
            let allowed = settings::text(env, "ADMIN_ALLOWED_IPS").unwrap_or_default();
            limits::only_from(allowed.split([',', ' ']).filter(|entry| !entry.is_empty()), address)?;
            signed::first_time(request, env, now_ms, Kept::AtOnce).await?;
            Ok(Member::unlimited(Caller::Admin))
        }
        Access::Person | Access::Owner | Access::Member => {
            let token = bearer(request)?;
            let member = match (api_key::looks_like(&token), access) {
                (true, Access::Member) => members::api_key(env, &token, address).await?,
                (true, _) => return Err(ApiError::forbidden("this is for people, not for API keys")),
                (false, _) => person(request, env, &token, now_ms).await?,
            };
            if access != Access::Person && member.caller.account_id().is_none() {
                return Err(ApiError::forbidden("no account: sign up first"));
            }
            Ok(member)
        }
        Access::CallToken => call_token(url, env, now_ms).map(Member::unlimited),
    }
}

/// Whether a request says that it is signed.
pub fn is_signed(request: &Request) -> bool {
    request.headers().has(SIGNATURE_HEADER).unwrap_or(false)
}

/// The token of a request. A browser cannot set headers on a WebSocket: there it comes as a subprotocol.
fn bearer(request: &Request) -> Result<String, ApiError> {
    let headers = request.headers();
    if let Some(value) = headers.get("authorization")? {
        return match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
                Ok(token.trim().to_owned())
            }
            _ => Err(ApiError::unauthorized("the authorization is no bearer token")),
        };
    }
    if headers.get("upgrade")?.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket")) {
        let offered = headers.get("sec-websocket-protocol")?.unwrap_or_default();
        if let Some(token) = offered.split(',').find_map(|protocol| protocol.trim().strip_prefix("token.")) {
            return Ok(token.to_owned());
        }
    }
    Err(ApiError::unauthorized("a bearer token is needed").with_header("www-authenticate", "Bearer"))
}

async fn person(request: &Request, env: &Env, token: &str, now_ms: u64) -> Result<Member, ApiError> {
    let refused = |error: jwt::JwtError| ApiError::unauthorized(error.to_string());
    let kid = jwt::key_id(token).map_err(refused)?;
    let keys = jwks::keys(env, &kid, now_ms).await?;
    let issuer = settings::text(env, "JWT_ISSUER").ok_or_else(|| ApiError::internal("JWT_ISSUER is not set"))?;
    let audience = settings::text(env, "JWT_AUDIENCE");
    let expected = jwt::Expected { issuer: &issuer, audience: audience.as_deref() };
    let claims = jwt::verify(token, &keys, expected, now_ms).map_err(refused)?;
    let account = request.headers().get("x-tandem-account")?.filter(|account| !account.is_empty());
    members::person(env, claims, account.as_deref()).await
}

fn call_token(url: &Url, env: &Env, now_ms: u64) -> Result<Caller, ApiError> {
    let token = url
        .query_pairs()
        .find_map(|(name, value)| (name == "token").then(|| value.into_owned()))
        .ok_or_else(|| ApiError::unauthorized("a call token is needed"))?;
    let secret = settings::text(env, "TOKEN_SECRET").ok_or_else(|| ApiError::internal("TOKEN_SECRET is not set"))?;
    let call_token::CallToken { call_id, account_id, user_id } = call_token::verify(secret.as_bytes(), &token, now_ms)
        .map_err(|error| ApiError::unauthorized(error.to_string()))?;
    Ok(Caller::CallToken { call_id, account_id, user_id })
}

pub async fn serve(id: RouteId, call: Call) -> Answer {
    match id {
        RouteId::DevToken => dev::token(&call),
        RouteId::DevJwks => dev::jwks(&call),
        RouteId::AdminRevokeSession => sessions::revoke(&call).await,
        _ => Err(ApiError::not_found("there is nothing here")),
    }
}
