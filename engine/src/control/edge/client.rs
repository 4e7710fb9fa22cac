//! Signed requests to the edge: JSON or bytes out, JSON in, a time limit each, and errors that say who is to blame.
//! What is asked, and what a failure means for a call, is decided by whoever asks.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use edge_protocol::signature::{AHEAD_MS, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, Upgraded, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::destination::is_loopback;
use crate::wall_clock::unix_ms;

/// How long a connection may take to stand, TLS included.
const CONNECT: Duration = Duration::from_secs(1);
/// Idle connections are given up before the other side does.
const IDLE: Duration = Duration::from_secs(30);
/// Largest answer, bytes: an acceptance with a long prompt is a tenth of it.
const MOST_BYTES: usize = 1024 * 1024;
/// Longest message of a refusal that goes into logs, letters.
const EXCERPT: usize = 300;

/// Speaks to one edge in the name of one node.
pub struct SignedClient {
    http: reqwest::Client,
    /// Without a slash at its end.
    base_url: String,
    /// What of it is path: the edge sees it before ours.
    base_path: String,
    secret: SecretString,
    node: String,
    stamps: Stamps,
}

/// Why a request to the edge did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EdgeError {
    #[error("edge URL {url:?}: {reason}")]
    Setup { url: String, reason: String },
    #[error("{url} cannot be reached: {reason}")]
    Unreachable { url: String, reason: String },
    /// The edge may have heard the request, and what it made of it is not known.
    #[error("the connection to {url} broke: {reason}")]
    Broken { url: String, reason: String },
    #[error("no answer from {url} within {} ms", after.as_millis())]
    TimedOut { url: String, after: Duration },
    /// The edge's own refusal (`{"error":{"code","message"}}`), or any other status that is no success.
    #[error("{url} answered {status} {code}: {message}")]
    Refused { url: String, status: u16, code: String, message: String, retry_after: Option<Duration> },
    #[error("{url} answered what cannot be understood: {reason}")]
    Malformed { url: String, reason: String },
}

/// Timestamps of one signer, in milliseconds since the Unix epoch: none is given twice, unless the clock was set back
/// by more than the edge lets a stamp be ahead.
#[derive(Debug, Default)]
struct Stamps {
    last: AtomicU64,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Debug, Deserialize)]
struct RefusalBody {
    code: String,
    message: String,
}

// === impl SignedClient ===

impl SignedClient {
    /// `base_url` is where the edge's routes begin, `https://edge.example.com`.
    ///
    /// # Errors
    /// [`EdgeError::Setup`] for what is no http or https URL.
    pub fn new(base_url: &str, secret: &str, node: &str) -> Result<Self, EdgeError> {
        let setup = |reason: String| EdgeError::Setup { url: base_url.to_owned(), reason };
        let url = Url::parse(base_url).map_err(|error| setup(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(setup("is not http or https".to_owned()));
        }
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            // A signature is good for the edge it was made for.
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&url) {
            http = http.no_proxy();
        }
        Ok(Self {
            http: http.build().map_err(|error| setup(error.to_string()))?,
            base_url: base_url.trim_end_matches('/').to_owned(),
            base_path: url.path().trim_end_matches('/').to_owned(),
            secret: SecretString::from(secret),
            node: node.to_owned(),
            stamps: Stamps::default(),
        })
    }

    /// Name of the node that asks.
    pub fn node(&self) -> &str {
        &self.node
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Posts JSON. `path` begins with a slash; `within` covers everything up to the last byte of the answer.
    ///
    /// # Errors
    /// [`EdgeError`].
    pub async fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        within: Duration,
    ) -> Result<T, EdgeError> {
        let body = serde_json::to_vec(body).map_err(|error| EdgeError::Malformed {
            url: self.url(path),
            reason: format!("our own request: {error}"),
        })?;
        self.send(Method::POST, path, "application/json", body.into(), within).await
    }

    /// Posts what is JSON already, so that its size is known before it is sent.
    ///
    /// # Errors
    /// [`EdgeError`].
    pub async fn post_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        json: Bytes,
        within: Duration,
    ) -> Result<T, EdgeError> {
        self.send(Method::POST, path, "application/json", json, within).await
    }

    /// Puts raw bytes.
    ///
    /// # Errors
    /// [`EdgeError`].
    pub async fn put_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Bytes,
        within: Duration,
    ) -> Result<T, EdgeError> {
        self.send(Method::PUT, path, "application/octet-stream", body, within).await
    }

    /// Asks for another protocol on the connection (RFC 9110 section 7.8) with these headers beside the signed ones.
    ///
    /// # Errors
    /// [`EdgeError`]; any answer but 101 is a refusal.
    pub async fn upgrade(
        &self,
        path_and_query: &str,
        headers: HeaderMap,
        within: Duration,
    ) -> Result<(Upgraded, HeaderMap), EdgeError> {
        let url = self.url(path_and_query);
        let request = self.http.get(&url).headers(headers).headers(self.sign_get(path_and_query));
        let upgraded = async {
            let response = request.send().await.map_err(|error| self.failed(path_and_query, &error, within))?;
            if response.status().as_u16() != 101 {
                return Err(self.refused(path_and_query, response).await);
            }
            let headers = response.headers().clone();
            let stream = response.upgrade().await.map_err(|error| self.failed(path_and_query, &error, within))?;
            Ok((stream, headers))
        };
        // The request's own limit would cut the connection it turns into.
        tokio::time::timeout(within, upgraded).await.unwrap_or(Err(EdgeError::TimedOut { url, after: within }))
    }

    /// Headers that sign a request without a body.
    pub fn sign_get(&self, path_and_query: &str) -> HeaderMap {
        self.signed(format!("{}{path_and_query}", self.base_path).as_bytes())
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        content_type: &'static str,
        body: Bytes,
        within: Duration,
    ) -> Result<T, EdgeError> {
        let signed = self.signed(&body);
        let request = self.http.request(method, self.url(path)).timeout(within).headers(signed);
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static(content_type)).body(body);
        let response = request.send().await.map_err(|error| self.failed(path, &error, within))?;
        if !response.status().is_success() {
            return Err(self.refused(path, response).await);
        }
        let answer = read(response).await.map_err(|error| self.failed(path, &error, within))?;
        let malformed = |reason| EdgeError::Malformed { url: self.url(path), reason };
        let answer = answer.ok_or_else(|| malformed(format!("more than {MOST_BYTES} bytes")))?;
        serde_json::from_slice(&answer).map_err(|error| malformed(error.to_string()))
    }

    fn signed(&self, body: &[u8]) -> HeaderMap {
        let stamp = self.stamps.next(unix_ms());
        let signature = sign(self.secret.expose_secret().as_bytes(), stamp, body);
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(HeaderName::from_static(TIMESTAMP_HEADER), HeaderValue::from(stamp));
        if let Ok(signature) = HeaderValue::from_str(&signature) {
            headers.insert(HeaderName::from_static(SIGNATURE_HEADER), signature);
        }
        headers
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    fn failed(&self, path: &str, error: &reqwest::Error, after: Duration) -> EdgeError {
        let url = self.url(path);
        if error.is_connect() {
            EdgeError::Unreachable { url, reason: causes(error) }
        } else if error.is_timeout() {
            EdgeError::TimedOut { url, after }
        } else {
            EdgeError::Broken { url, reason: causes(error) }
        }
    }

    async fn refused(&self, path: &str, response: Response) -> EdgeError {
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
        // The status is what counts; a body that cannot be read only leaves the message empty.
        let body = read(response).await.ok().flatten().unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        let (code, message) = match serde_json::from_str::<Refusal>(&body) {
            Ok(refusal) => (refusal.error.code, refusal.error.message),
            Err(_) => (status.canonical_reason().unwrap_or_default().to_owned(), body),
        };
        let message = message.chars().take(EXCERPT).collect();
        EdgeError::Refused { url: self.url(path), status: status.as_u16(), code, message, retry_after }
    }
}

impl fmt::Debug for SignedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedClient")
            .field("base_url", &self.base_url)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

// === impl EdgeError ===

impl EdgeError {
    /// The edge said nothing about the request itself: it is gone, slow, ill or too busy. Asking again later may help.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::TimedOut { .. } | Self::Malformed { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || matches!(status, 408 | 425 | 429),
            Self::Setup { .. } => false,
        }
    }

    /// For all we know the edge did what it was asked.
    pub fn may_be_done(&self) -> bool {
        match self {
            Self::Broken { .. } | Self::TimedOut { .. } | Self::Malformed { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            Self::Unreachable { .. } | Self::Setup { .. } => false,
        }
    }

    /// What the edge asked us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

// === impl Stamps ===

impl Stamps {
    /// The clock's time, or the millisecond after the last stamp if that is later. A clock that was set back is
    /// followed once the last stamp is further ahead than the edge accepts: it would be refused anyway.
    fn next(&self, now_ms: u64) -> u64 {
        let after = |last: u64| if last >= now_ms + AHEAD_MS { now_ms } else { now_ms.max(last + 1) };
        let previous = self.last.fetch_update(Relaxed, Relaxed, |last| Some(after(last)));
        after(previous.unwrap_or_else(|last| last))
    }
}

/// The whole body; `None` if it is too large.
async fn read(mut response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// An error with what caused it: reqwest's own words are only "error sending request".
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
