//! Which provider, which models, and how long each stage may take.
//! No request is made here.

use std::fmt;
use std::time::Duration;

use async_openai::config::Config;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

/// An API key: its `Debug` shows nothing of it, and its memory is wiped when it goes.
#[derive(Clone)]
pub struct Secret(SecretString);

/// A provider of all three stages.
#[derive(Debug, Clone)]
pub struct OpenAiConfig {
    /// Up to and with the version, as in `https://api.openai.com/v1`.
    pub base_url: String,
    /// Sent as a bearer token; `None` sends no `Authorization` at all.
    pub api_key: Option<Secret>,
    pub transcription_model: String,
    /// ISO 639-1, e.g. `en`; `None` lets the provider guess.
    pub language: Option<String>,
    pub chat_model: String,
    pub speech_model: String,
    pub voice: String,
    /// Rate of the provider's `pcm` format, Hz; OpenAI's is 24,000.
    pub speech_rate_hz: u32,
    pub timeouts: Timeouts,
    /// A refused request is made once more if the provider wants it no later than this.
    pub longest_retry_after: Duration,
}

/// Longest waits, each measured on its own. With the one retry included, no stage waits longer than its own: by default,
/// whichever stage stalls, the caller hears an apology within 3 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP and TLS.
    pub connect: Duration,
    /// Request → whole transcript; [`hearing_time`](crate::speech::hearing_time) comes on top.
    pub transcription: Duration,
    /// Request → first piece of the answer.
    pub first_token: Duration,
    /// Between two pieces of the answer.
    pub token_gap: Duration,
    /// Request → first byte of audio.
    pub first_audio: Duration,
    /// Between two chunks of audio.
    pub audio_gap: Duration,
}

/// Why a client cannot be built from this configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("speech provider's base URL {base_url:?}: {reason}")]
    BaseUrl { base_url: String, reason: String },
    #[error("the speech provider's API key holds characters that an HTTP header cannot carry")]
    ApiKey,
    #[error("cannot set up HTTP: {0}")]
    Http(#[from] reqwest::Error),
}

/// What async-openai needs to know of the provider. Its own `OpenAIConfig` always sends an `Authorization` header,
/// reads the environment behind our back and panics on a key that is no header value.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    base_url: String,
    headers: HeaderMap,
    api_key: SecretString,
}

// === impl Secret ===

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The key behind `scheme` as the value of a header; `None` if it holds characters that one cannot carry.
    pub(in crate::speech) fn header(&self, scheme: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("{scheme}{}", self.0.expose_secret())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

// === impl OpenAiConfig ===

impl Default for OpenAiConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.openai.com/v1".to_owned(),
            api_key: None,
            transcription_model: "gpt-4o-mini-transcribe".to_owned(),
            language: None,
            chat_model: "gpt-4o-mini".to_owned(),
            speech_model: "gpt-4o-mini-tts".to_owned(),
            voice: "alloy".to_owned(),
            speech_rate_hz: 24_000,
            timeouts: Timeouts::default(),
            longest_retry_after: Duration::from_secs(1),
        }
    }
}

// === impl Timeouts ===

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            transcription: Duration::from_millis(2200),
            first_token: Duration::from_millis(2200),
            token_gap: Duration::from_secs(2),
            first_audio: Duration::from_millis(1700),
            audio_gap: Duration::from_secs(2),
        }
    }
}

// === impl Endpoint ===

impl Endpoint {
    pub(super) fn new(config: &OpenAiConfig) -> Result<Self, ConfigError> {
        let mut headers = HeaderMap::new();
        if let Some(key) = &config.api_key {
            headers.insert(AUTHORIZATION, key.header("Bearer ").ok_or(ConfigError::ApiKey)?);
        }
        let api_key = config.api_key.as_ref().map_or_else(|| SecretString::from(""), |key| key.0.clone());
        Ok(Self { base_url: config.base_url.trim_end_matches('/').to_owned(), headers, api_key })
    }
}

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        &self.base_url
    }

    fn api_key(&self) -> &SecretString {
        &self.api_key
    }
}
