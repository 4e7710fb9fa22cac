//! The issuer's keys: fetched from `JWKS_URL`, kept in this isolate and, for the others, in KV.
//! When they are fetched again is `key_cache`'s; which tokens they make good, `jwt`'s.

use std::cell::RefCell;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use jsonwebtoken::jwk::Jwk;
use serde::{Deserialize, Serialize};
use worker::{Delay, Env, Fetch, Url};

use super::key_cache::{KeyCache, Next};
use super::{dev, jwt, settings};
use crate::http::ApiError;

/// How long the issuer may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Largest document read, bytes.
const MAX_DOCUMENT: usize = 64 * 1024;
/// How long KV keeps it, s: longer than fresh, so that an isolate can start while the issuer is away.
const KEPT_S: u64 = 3600;

thread_local! {
    static CACHE: RefCell<KeyCache> = RefCell::new(KeyCache::default());
}

/// What KV holds.
#[derive(Serialize, Deserialize)]
struct Stored {
    fetched_at_ms: u64,
    document: String,
}

/// The issuer's keys, with the one called `kid` if it has one.
///
/// # Errors
/// 503 if no keys are known and the issuer cannot be reached.
pub async fn keys(env: &Env, kid: &str, now_ms: u64) -> Result<Vec<Jwk>, ApiError> {
    let url = settings::text(env, "JWKS_URL").ok_or_else(|| ApiError::internal("JWKS_URL is not set"))?;
    if settings::is_dev(env)
        && settings::text(env, "PUBLIC_URL").is_some_and(|own| url == format!("{own}/dev/jwks.json"))
    {
        // A Worker does not fetch itself.
        return Ok(vec![dev::public_key(env)?]);
    }
    if CACHE.with_borrow(|cache| cache.is_empty(&url)) {
        adopt(env, &url).await;
    }
    match CACHE.with_borrow_mut(|cache| cache.next(&url, kid, now_ms)) {
        Next::Use => {}
        Next::Fetch => match fetch(&url).await {
            Ok(document) => store(env, &url, document, now_ms).await,
            // What is known stays good for a while.
            Err(error) => worker::console_error!("{url}: {error}"),
        },
    }
    CACHE
        .with_borrow(|cache| cache.keys(&url, now_ms))
        .ok_or_else(|| ApiError::unavailable("the issuer's keys cannot be read now"))
}

/// Takes what another isolate fetched.
async fn adopt(env: &Env, url: &str) {
    let stored = match env.kv("CACHE") {
        Ok(kv) => kv.get(&name(url)).json::<Stored>().await.ok().flatten(),
        Err(_) => None,
    };
    if let Some(Stored { fetched_at_ms, document }) = stored
        && let Ok(keys) = jwt::parse_keys(&document)
    {
        CACHE.with_borrow_mut(|cache| cache.put(url, keys, fetched_at_ms));
    }
}

async fn store(env: &Env, url: &str, document: String, now_ms: u64) {
    match jwt::parse_keys(&document) {
        Ok(keys) => CACHE.with_borrow_mut(|cache| cache.put(url, keys, now_ms)),
        Err(error) => return worker::console_error!("{url} is no JWKS: {error}"),
    }
    let stored = Stored { fetched_at_ms: now_ms, document };
    let Ok(kv) = env.kv("CACHE") else { return };
    // Best effort: the next isolate fetches for itself.
    if let Ok(put) =
        serde_json::to_string(&stored).map_err(|_| ()).and_then(|text| kv.put(&name(url), text).map_err(|_| ()))
        && let Err(error) = put.expiration_ttl(KEPT_S).execute().await
    {
        worker::console_warn!("KV: {error}");
    }
}

fn name(url: &str) -> String {
    format!("jwks:{url}")
}

async fn fetch(url: &str) -> Result<String, String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    let answer = async {
        let mut response = Fetch::Url(url).send().await?;
        Ok::<_, worker::Error>((response.status_code(), response.bytes().await?))
    };
    let (status, bytes) = match select(answer.boxed_local(), Delay::from(PATIENCE)).await {
        Either::Left((answer, _)) => answer.map_err(|error| error.to_string())?,
        Either::Right(_) => return Err("no answer in time".to_owned()),
    };
    if status != 200 {
        return Err(format!("answered {status}"));
    }
    if bytes.len() > MAX_DOCUMENT {
        return Err(format!("larger than {MAX_DOCUMENT} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| error.to_string())
}
