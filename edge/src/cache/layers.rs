//! The two layers themselves. Neither may fail a request: what cannot be read is a miss.
//! Which one is asked first is decided in the folder's front.

use worker::{Cache, Env, Response};

use super::entry::Entry;

/// The Cache API wants URLs; this one leads nowhere.
fn url(key: &str) -> String {
    format!("https://cache.tandem.invalid/{key}")
}

pub async fn edge(key: &str) -> Option<Entry> {
    let mut response = Cache::default().get(url(key), false).await.ok()??;
    serde_json::from_str(&response.text().await.ok()?).ok()
}

pub async fn put_edge(key: &str, entry: &Entry, now_ms: u64) {
    let ttl_s = entry.edge_ttl_s(now_ms);
    if ttl_s == 0 {
        return;
    }
    let response = Response::from_json(entry).and_then(|mut response| {
        response.headers_mut().set("cache-control", &format!("max-age={ttl_s}"))?;
        Ok(response)
    });
    if let Ok(response) = response {
        let _ = Cache::default().put(url(key), response).await;
    }
}

pub async fn kv(env: &Env, key: &str) -> Option<Entry> {
    let text = env.kv("CACHE").ok()?.get(key).text().await.ok()??;
    serde_json::from_str(&text).ok()
}

pub async fn put_kv(env: &Env, key: &str, entry: &Entry, now_ms: u64) {
    let Ok(text) = serde_json::to_string(entry) else { return };
    if let Some(put) = env.kv("CACHE").ok().and_then(|kv| kv.put(key, text).ok()) {
        let _ = put.expiration_ttl(entry.kv_ttl_s(now_ms)).execute().await;
    }
}

pub async fn delete(env: &Env, key: &str) {
    let _ = Cache::default().delete(url(key), false).await;
    if let Ok(kv) = env.kv("CACHE") {
        let _ = kv.delete(key).await;
    }
}
