//! Two layers of cache before the database: this data centre's (Cache API), then everybody's (KV).
//! Misses meet in one object per entry, so the source is asked once. What is cached, and for how long, is in `entry`.

mod entry;
mod fill;
mod layers;
mod source;

pub use entry::{Layer, Source};

use serde::de::DeserializeOwned;
use serde_json::Value;
use worker::{Context, Env};

use crate::clock;
use crate::http::ApiError;
use crate::objects;
use entry::Entry;
use fill::Filled;

/// Tells where an answer came from.
pub const HEADER: &str = "x-cache";

/// A value, and where it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Cached {
    /// `None`: the source has none either.
    pub value: Option<Value>,
    pub layer: Layer,
}

// === impl Cached ===

impl Cached {
    /// The value as what it is.
    ///
    /// # Errors
    /// 500 if it is something else.
    pub fn read<T: DeserializeOwned>(self) -> Result<Option<T>, ApiError> {
        self.value.map(serde_json::from_value).transpose().map_err(|e| ApiError::internal(format!("cache: {e}")))
    }
}

/// Reads a value through both layers; what a layer lacks it gets from the next. A layer that fails is passed by.
///
/// # Errors
/// If the source does not answer, asked several times.
pub async fn through(env: &Env, context: &Context, source: &Source) -> Result<Cached, ApiError> {
    let now_ms = clock::now_ms();
    let key = source.key(&version(env));
    if let Some(entry) = layers::edge(&key).await.filter(|entry| entry.is_fresh(now_ms)) {
        return Ok(Cached { value: Some(entry.value), layer: Layer::Edge });
    }
    let (entry, layer) = match layers::kv(env, &key).await.filter(|entry| entry.is_fresh(now_ms)) {
        Some(entry) => (Some(entry), Layer::Kv),
        None => (fill(env, &key, source).await?, Layer::Source),
    };
    if let Some(entry) = entry.clone() {
        context.wait_until(async move { layers::put_edge(&key, &entry, now_ms).await });
    }
    Ok(Cached { value: entry.map(|entry| entry.value), layer })
}

/// An ended call as its account sees it. The caller checks whose it is.
///
/// # Errors
/// If the source does not answer.
pub async fn call_summary(env: &Env, context: &Context, call_id: &str) -> Result<Cached, ApiError> {
    through(env, context, &Source::CallSummary { call_id: call_id.to_owned() }).await
}

/// Takes a value out of every layer this place can reach; other data centres forget it when its time is over.
pub async fn purge(env: &Env, source: &Source) {
    let key = source.key(&version(env));
    // The object first: a fill that is under way must not bring the old value back.
    if let Err(error) = objects::ask::<_, Value>(env, "CACHE_FILLS", &key, "forget", &source).await {
        crate::observe::log("warning", "a cache entry was not forgotten", &[("key", &key), ("error", &error.message)]);
    }
    layers::delete(env, &key).await;
}

/// Through the object where all who miss it meet; without it, straight from the source.
async fn fill(env: &Env, key: &str, source: &Source) -> Result<Option<Entry>, ApiError> {
    match objects::ask::<_, Filled>(env, "CACHE_FILLS", key, "fill", source).await {
        Ok(filled) => Ok(filled.entry),
        Err(_) => source::read(env, source).await,
    }
}

/// A new deployment begins with an empty cache: `deploy/deploy.sh` sets it.
fn version(env: &Env) -> String {
    env.var("CACHE_VERSION").map_or_else(|_| "v1".to_owned(), |version| version.to_string())
}
