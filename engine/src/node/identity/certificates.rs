//! Certificates behind Identity headers, fetched from where the header says and kept while they may be.
//! The address is written by strangers: nothing but public web servers is asked, shortly, and for little.

use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use lru::LruCache;
use reqwest::header::{CACHE_CONTROL, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode, Url};
use sip_bridge::identity::CertificateFetcher;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::destination::{PublicInternet, is_public, literal};

/// How long a caller waits for a certificate, from the name's resolution to the last byte.
const WITHIN: Duration = Duration::from_secs(1);

/// Largest answer, bytes: a chain of eight is a third of it.
const MOST_BYTES: usize = 32 * 1024;

/// Fetches at a time. Whoever floods us with addresses is not to have us flood others.
const MOST_FETCHES: usize = 16;

/// Answers kept, the ones used last.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// How long an answer is kept: as long as it says, between these.
const SHORTEST_KEPT: Duration = Duration::from_secs(60);
const LONGEST_KEPT: Duration = Duration::from_secs(24 * 3600);
/// If it does not say.
const USUALLY_KEPT: Duration = Duration::from_secs(3600);

/// How long a failure stands: the next call is not to wait for the same server.
const FAILURE_KEPT: Duration = Duration::from_secs(10);

/// Ports of certificate repositories (ATIS-1000074).
const PORTS: [u16; 2] = [443, 8443];

/// Fetches certificates, and keeps them.
pub(super) struct Certificates {
    http: reqwest::Client,
    reach: PublicInternet,
    within: Duration,
    kept: Mutex<LruCache<String, Kept>>,
    places: Semaphore,
}

struct Kept {
    answer: Result<Vec<u8>, String>,
    until: Instant,
}

// === impl Certificates ===

impl Certificates {
    /// `local` are ranges of addresses that are asked though they are not public.
    pub fn new(local: Vec<IpNet>) -> Result<Self, reqwest::Error> {
        let reach = PublicInternet::and(local);
        let http = reqwest::Client::builder()
            // Whoever answers may not send us on, and a proxy would resolve names for us.
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(reach.clone()))
            .user_agent(concat!("Tandem/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            http,
            reach,
            within: WITHIN,
            kept: Mutex::new(LruCache::new(KEPT)),
            places: Semaphore::new(MOST_FETCHES),
        })
    }

    /// With another limit than [`WITHIN`].
    #[cfg(test)]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// The address, if it is one that may be asked as far as it tells; names are looked at when they are resolved.
    fn checked(&self, text: &str) -> Result<Url, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it names a user".to_owned());
        }
        if let Some(ip) = literal(&url) {
            if self.reach.is_local(ip) {
                return Ok(url);
            }
            if !is_public(ip) {
                return Err(format!("{ip} is not public"));
            }
        }
        if url.scheme() != "https" {
            return Err("it is no https: URL".to_owned());
        }
        match url.port_or_known_default() {
            Some(port) if PORTS.contains(&port) => Ok(url),
            port => Err(format!("port {} is none of a certificate repository", port.unwrap_or_default())),
        }
    }

    async fn get(&self, url: &str) -> Result<(Vec<u8>, Duration), String> {
        let url = self.checked(url)?;
        let mut response = self.http.get(url).send().await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answers {}", response.status()));
        }
        let keep = keep_for(response.headers());
        Ok((read(&mut response).await.map_err(|error| error.map_or_else(too_large, failed))?, keep))
    }

    fn known(&self, url: &str) -> Option<Result<Vec<u8>, String>> {
        let mut kept = self.kept();
        let known = kept.get(url).filter(|kept| Instant::now() < kept.until)?;
        Some(known.answer.clone())
    }

    /// The map is whole after every statement, so a panic elsewhere does not spoil it.
    fn kept(&self) -> MutexGuard<'_, LruCache<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CertificateFetcher for Certificates {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        if let Some(known) = self.known(url) {
            return known;
        }
        let deadline = Instant::now() + self.within;
        let Ok(Ok(_place)) = timeout_at(deadline, self.places.acquire()).await else {
            return Err(format!("{MOST_FETCHES} certificates are being fetched"));
        };
        // Whoever had the place before may have fetched the same one.
        if let Some(known) = self.known(url) {
            return known;
        }
        let fetched = timeout_at(deadline, self.get(url)).await;
        let (answer, keep) = match fetched {
            Ok(Ok((bytes, keep))) => (Ok(bytes), keep),
            Ok(Err(why)) => (Err(why), FAILURE_KEPT),
            Err(_) => (Err(format!("no answer within {} ms", self.within.as_millis())), FAILURE_KEPT),
        };
        self.kept().put(url.to_owned(), Kept { answer: answer.clone(), until: Instant::now() + keep });
        answer
    }
}

/// The error and its first cause, without the address, which whoever reads it knows.
fn failed(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(earlier) = cause.source() {
        cause = earlier;
    }
    format!("{error}: {cause}")
}

/// The body; `Err(None)`: there is too much of it.
async fn read(response: &mut Response) -> Result<Vec<u8>, Option<reqwest::Error>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > MOST_BYTES {
            return Err(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn too_large() -> String {
    format!("it answers with more than {MOST_BYTES} bytes")
}

/// How long an answer may be kept (RFC 9111 section 5.2.2.1).
fn keep_for(headers: &HeaderMap) -> Duration {
    let directives = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let seconds = directives.split(',').find_map(|directive| {
        let (name, seconds) = directive.split_once('=')?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| seconds.trim().parse().ok())?
    });
    seconds.map_or(USUALLY_KEPT, Duration::from_secs).clamp(SHORTEST_KEPT, LONGEST_KEPT)
}
