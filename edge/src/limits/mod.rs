//! How often somebody may ask, and from where: addresses and accounts.
//! Caps on calls are `accounts`'.

pub mod addresses;
mod object;
pub mod window;

use std::cell::RefCell;
use std::collections::HashMap;

use worker::{Env, Request};

use crate::http::ApiError;
use crate::objects;
use addresses::AllowList;
use object::Check;
use window::Verdict;

/// All limits are per minute.
const WINDOW_MS: u64 = 60_000;
/// Requests per minute and address if `REQUESTS_PER_MINUTE` does not say.
const DEFAULT_PER_ADDRESS: u32 = 100;
/// How many refused clients an isolate remembers.
const MAX_REFUSED: usize = 4_096;

/// What a limit leaves its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub limit: u32,
    pub remaining: u32,
    /// Milliseconds since the Unix epoch.
    pub reset_at_ms: u64,
}

thread_local! {
    /// Until when a client was refused, and under which limit. Before that no pass can leave the window, so that
    /// asking the object again is not needed: a flood stops here.
    static REFUSED: RefCell<HashMap<String, (u32, u64)>> = RefCell::new(HashMap::new());
}

/// Counts a request of a client that is known by its address only.
///
/// # Errors
/// 429 beyond the limit; 503 if nobody can tell.
pub async fn by_address(env: &Env, address: &str, now_ms: u64) -> Result<Quota, ApiError> {
    let limit = env.var("REQUESTS_PER_MINUTE").ok().and_then(|limit| limit.to_string().parse().ok());
    check(env, format!("ip:{}", addresses::client(address)), limit.unwrap_or(DEFAULT_PER_ADDRESS), now_ms).await
}

/// Counts a request of an account's people and API keys.
///
/// # Errors
/// 429 beyond the limit; 503 if nobody can tell.
pub async fn by_account(env: &Env, account_id: &str, limit: u32, now_ms: u64) -> Result<Quota, ApiError> {
    check(env, format!("account:{account_id}"), limit, now_ms).await
}

/// Where a request comes from: as Cloudflare says; on a development machine, as a proxy there says.
pub fn address(request: &Request, dev: bool) -> String {
    let header = |name| request.headers().get(name).ok().flatten().filter(|value: &String| !value.is_empty());
    header("cf-connecting-ip")
        .or_else(|| if dev { header("x-real-ip") } else { None })
        .unwrap_or_else(|| "local".to_owned())
}

/// Lets only listed addresses pass. A list that cannot be read lets nobody pass.
///
/// # Errors
/// 403 for all others.
pub fn only_from<'a>(entries: impl IntoIterator<Item = &'a str>, address: &str) -> Result<(), ApiError> {
    let list = AllowList::parse(entries).map_err(|error| {
        worker::console_error!("allow-list: {error}");
        ApiError::forbidden("the list of allowed addresses cannot be read")
    })?;
    if list.allows(address) { Ok(()) } else { Err(ApiError::forbidden("not from this address")) }
}

async fn check(env: &Env, name: String, limit: u32, now_ms: u64) -> Result<Quota, ApiError> {
    let refused = REFUSED.with_borrow(|refused| refused.get(&name).copied());
    if let Some((_, reset_at_ms)) = refused.filter(|(under, until_ms)| *under == limit && now_ms < *until_ms) {
        return Err(too_many(Quota { limit, remaining: 0, reset_at_ms }, now_ms));
    }
    let question = Check { limit, window_ms: WINDOW_MS };
    let verdict: Verdict = objects::ask(env, "RATE_LIMITERS", &name, "check", &question).await.map_err(|error| {
        worker::console_error!("rate limiter {name}: {} {}", error.status, error.message);
        ApiError::unavailable("whether this is too often cannot be told now")
    })?;
    let quota = Quota { limit, remaining: verdict.remaining, reset_at_ms: verdict.reset_at_ms };
    if verdict.allowed {
        return Ok(quota);
    }
    REFUSED.with_borrow_mut(|refused| {
        if refused.len() >= MAX_REFUSED {
            refused.retain(|_, (_, until_ms)| now_ms < *until_ms);
        }
        if refused.len() < MAX_REFUSED {
            refused.insert(name, (limit, verdict.reset_at_ms));
        }
    });
    Err(too_many(quota, now_ms))
}

fn too_many(quota: Quota, now_ms: u64) -> ApiError {
    let wait_s = quota.reset_at_ms.saturating_sub(now_ms).div_ceil(1000).max(1);
    ApiError::new(429, "rate_limited", format!("more than {} requests in a minute", quota.limit))
        .with_header("retry-after", wait_s.to_string())
        .with_quota(quota)
}
