//! Certificates behind Identity headers, fetched from where the header says and kept while they may be.
//! The address is written by strangers: nothing but public web servers is asked, shortly, and for little.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use lru::LruCache;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CACHE_CONTROL, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode, Url};
use sip_bridge::identity::CertificateFetcher;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

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
    reach: Reach,
    within: Duration,
    kept: Mutex<LruCache<String, Kept>>,
    places: Semaphore,
}

/// Which servers may be asked.
#[derive(Debug, Clone)]
struct Reach {
    /// Not public, and asked all the same.
    local: Arc<[IpNet]>,
}

struct Kept {
    answer: Result<Vec<u8>, String>,
    until: Instant,
}

// === impl Certificates ===

impl Certificates {
    /// `local` are ranges of addresses that are asked though they are not public.
    pub fn new(local: Vec<IpNet>) -> Result<Self, reqwest::Error> {
        let reach = Reach { local: local.into() };
        let http = reqwest::Client::builder()
            // Whoever answers may not send us on, and a proxy would resolve names for us.
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(reach.clone())
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

    async fn get(&self, url: &str) -> Result<(Vec<u8>, Duration), String> {
        let url = self.reach.checked(url)?;
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

// === impl Reach ===

impl Reach {
    /// The address, if it is one that may be asked as far as it tells; names are looked at when they are resolved.
    fn checked(&self, text: &str) -> Result<Url, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it names a user".to_owned());
        }
        let literal = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        if let Some(ip) = literal {
            if self.is_local(ip) {
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

    fn is_local(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.local.iter().any(|range| range.contains(&ip))
    }

    fn allows(&self, ip: IpAddr) -> bool {
        is_public(ip) || self.is_local(ip)
    }
}

impl Resolve for Reach {
    /// Whatever is checked is also what is connected to: a name that changes its mind gains nothing.
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// An address anybody on the Internet reaches (RFC 6890), and no way around that.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmarks = a == 198 && (18..20).contains(&b);
    let protocols = (a, b, c) == (192, 0, 0);
    !(a == 0
        || a >= 224
        || shared
        || benchmarks
        || protocols
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation())
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    let global = a & 0xe000 == 0x2000;
    // Documentation, and Teredo and 6to4, which carry IPv4 addresses.
    let special = a == 0x2001 && matches!(b, 0 | 0xdb8) || a == 0x2002;
    global && !special
}
