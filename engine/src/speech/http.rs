//! One request to a provider: tried once more at most, and only before anything of an answer was seen.
//! How an HTTP failure is named, whichever library met it; nothing about what is asked, nor of whom.

use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use edge_protocol::SpeechStage;
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use thiserror::Error;

use super::openai::ConfigError;
use super::ports::SpeechError;
use crate::destination::is_loopback;

/// Pause before the second try when the provider names none.
const PAUSE: Duration = Duration::from_millis(100);
/// As much of an unexpected answer as goes into an error, characters.
const EXCERPT: usize = 200;

/// A failed request before it is known which stage it served.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Failure {
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    #[error("answered {status}: {message}")]
    Refused { status: u16, message: String },
    #[error("cut off: {0}")]
    CutOff(String),
    #[error("not understood: {0}")]
    Malformed(String),
}

/// Sends requests; returns only successful responses. Dropping the future aborts the request.
#[derive(Debug, Clone)]
pub(super) struct Once {
    http: reqwest::Client,
    /// A longer `Retry-After` is not waited for: a caller is on the line.
    longest_retry_after: Duration,
}

/// How a try ended that may be worth another.
enum Try {
    Done(Result<Response, Failure>),
    Again { after: Duration, failure: Failure },
}

// === impl Once ===

impl Once {
    pub(super) fn new(http: reqwest::Client, longest_retry_after: Duration) -> Self {
        Self { http, longest_retry_after }
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The shape async-openai's middleware wants: a [`Failure`] travels boxed and is unpacked by [`Failure::from`].
    pub(super) async fn send(self, request: HttpRequestFactory) -> Result<Response, OpenAIError> {
        let (after, failure) = match self.attempt(&request).await? {
            Try::Done(result) => return result.map_err(boxed),
            Try::Again { after, failure } => (after, failure),
        };
        tracing::debug!(%failure, "trying once more");
        tokio::time::sleep(after).await;
        match self.attempt(&request).await? {
            Try::Done(result) => result.map_err(boxed),
            Try::Again { failure, .. } => Err(boxed(failure)),
        }
    }

    async fn attempt(&self, request: &HttpRequestFactory) -> Result<Try, OpenAIError> {
        let request = request.build().await?;
        Ok(match self.http.execute(request).await {
            Ok(response) if response.status().is_success() => Try::Done(Ok(response)),
            Ok(response) => self.refused(response).await,
            Err(error) => {
                let failure = Failure::from(&error);
                // A connection that could not be had in time will not be had in more time. One that was closed
                // before it answered may have been a kept one that the provider was just dropping.
                if error.is_timeout() { Try::Done(Err(failure)) } else { Try::Again { after: Duration::ZERO, failure } }
            }
        })
    }

    async fn refused(&self, response: Response) -> Try {
        let status = response.status();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|seconds| seconds.trim().parse().ok())
            .map(Duration::from_secs);
        // The status is what counts; a body that cannot be read only leaves the message empty.
        let message = error_message(&response.text().await.unwrap_or_default());
        let failure = Failure::Refused { status: status.as_u16(), message };
        let worth_another =
            status.is_server_error() || (status == StatusCode::TOO_MANY_REQUESTS && retry_after.is_some());
        let after = retry_after.unwrap_or(PAUSE);
        if worth_another && after <= self.longest_retry_after {
            Try::Again { after, failure }
        } else {
            Try::Done(Err(failure))
        }
    }
}

/// `error.message` of OpenAI's error object, or else the beginning of the body.
fn error_message(body: &str) -> String {
    #[derive(Deserialize)]
    struct Body {
        error: ErrorObject,
    }
    match serde_json::from_str(body) {
        Ok(Body { error }) => error.message,
        Err(_) => excerpt(body),
    }
}

/// OpenAI's error object, as far as a reader of logs cares.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ErrorObject {
    pub(super) message: String,
}

pub(super) fn excerpt(text: &str) -> String {
    text.trim().chars().take(EXCERPT).collect()
}

/// reqwest's own words end before the cause ("error sending request"): the cause is the last source.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn boxed(failure: Failure) -> OpenAIError {
    OpenAIError::Boxed(Box::new(failure))
}

/// A pool that keeps connections warm between turns and sends small requests at once.
pub(super) fn http_client(base_url: &str, connect: Duration) -> Result<reqwest::Client, ConfigError> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(connect)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_idle_timeout(Duration::from_secs(90));
    if is_loopback(&parse(base_url)?) {
        builder = builder.no_proxy();
    }
    Ok(builder.build()?)
}

fn parse(base_url: &str) -> Result<reqwest::Url, ConfigError> {
    let bad = |reason: String| ConfigError::BaseUrl { base_url: base_url.to_owned(), reason };
    let url = reqwest::Url::parse(base_url).map_err(|error| bad(error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(bad(format!("{other} is not http or https"))),
    }
}

// === impl Failure ===

impl Failure {
    /// The failure of `stage` at the provider at `base_url`.
    pub(super) fn at(self, stage: SpeechStage, base_url: &str) -> SpeechError {
        let base_url = base_url.to_owned();
        match self {
            Self::TimedOut(after) => SpeechError::TimedOut { stage, base_url, after },
            Self::Unreachable(reason) => SpeechError::Unreachable { stage, base_url, reason },
            Self::Refused { status, message } => SpeechError::Refused { stage, base_url, status, message },
            Self::CutOff(reason) => SpeechError::CutOff { stage, base_url, reason },
            Self::Malformed(reason) => SpeechError::Malformed { stage, base_url, reason },
        }
    }
}

impl From<&reqwest::Error> for Failure {
    fn from(error: &reqwest::Error) -> Self {
        let reason = cause(error);
        if error.is_connect() || error.is_timeout() || error.is_builder() {
            Self::Unreachable(reason)
        } else {
            Self::CutOff(reason)
        }
    }
}

impl From<OpenAIError> for Failure {
    fn from(error: OpenAIError) -> Self {
        match error {
            OpenAIError::Boxed(inner) => match inner.downcast::<Self>() {
                Ok(failure) => *failure,
                Err(other) => Self::Malformed(other.to_string()),
            },
            OpenAIError::Reqwest(error) => Self::from(&error),
            OpenAIError::ApiError(answer) => {
                Self::Refused { status: answer.status_code.as_u16(), message: answer.api_error.message }
            }
            OpenAIError::JSONDeserialize(error, content) => {
                Self::Malformed(format!("{error} in {:?}", excerpt(&content)))
            }
            OpenAIError::StreamError(error) => Self::CutOff(error.to_string()),
            other => Self::Malformed(other.to_string()),
        }
    }
}
