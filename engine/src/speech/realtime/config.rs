//! Which Realtime provider, which model and voice, and how long it may take.
//! Where these settings come from is the node's matter.

use std::time::Duration;

use thiserror::Error;

use crate::speech::openai::Secret;
use crate::speech::tariff::RealtimePrices;

/// A provider of speech-to-speech.
#[derive(Debug, Clone)]
pub struct RealtimeConfig {
    /// Up to and with the version, as in `wss://api.openai.com/v1`; `https` means the same.
    pub base_url: String,
    /// Sent as a bearer token; `None` sends no `Authorization` at all.
    pub api_key: Option<Secret>,
    pub model: String,
    /// Where the agent names none.
    pub voice: String,
    /// Writes down what the caller said; the model itself hears the sound.
    pub transcription_model: String,
    pub patience: Patience,
    pub prices: RealtimePrices,
}

/// Longest waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// TCP, TLS and the WebSocket's upgrade.
    pub connect: Duration,
    /// A session that stands, until it can be asked: an answer that was cancelled must be over.
    pub settle: Duration,
    /// Question → first piece of the answer.
    pub answer: Duration,
    /// Between two pieces of the answer.
    pub gap: Duration,
    /// Question → what the caller said. Then the turn goes on without.
    pub transcript: Duration,
    /// After a failure the provider is left alone for so long.
    pub rest: Duration,
    /// A session nobody wanted anything of for so long is closed. It is opened again when it is needed.
    pub idle: Duration,
}

/// Why a session did not serve a turn.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RealtimeError {
    #[error("no {what} from {base_url} within {} ms", after.as_millis())]
    TimedOut { base_url: String, what: &'static str, after: Duration },
    #[error("cannot reach {base_url}: {reason}")]
    Unreachable { base_url: String, reason: String },
    #[error("{base_url} answered {status}: {message}")]
    Refused { base_url: String, status: u16, message: String },
    #[error("{base_url} ended the session: {reason}")]
    CutOff { base_url: String, reason: String },
    #[error("{base_url} says: {message}")]
    Failed { base_url: String, message: String },
    #[error("{base_url} sent what cannot be understood: {reason}")]
    Malformed { base_url: String, reason: String },
}

/// Why a provider cannot be used as it is configured.
#[derive(Debug, Error)]
pub enum RealtimeConfigError {
    #[error("Realtime provider's base URL {base_url:?}: {reason}")]
    BaseUrl { base_url: String, reason: String },
    #[error("the Realtime provider's API key holds characters that an HTTP header cannot carry")]
    ApiKey,
    #[error("cannot set up HTTP: {0}")]
    Http(#[from] reqwest::Error),
}

// === impl RealtimeConfig ===

impl Default for RealtimeConfig {
    fn default() -> Self {
        Self {
            base_url: "wss://api.openai.com/v1".to_owned(),
            api_key: None,
            model: "gpt-realtime".to_owned(),
            voice: "marin".to_owned(),
            transcription_model: "gpt-4o-mini-transcribe".to_owned(),
            patience: Patience::default(),
            prices: RealtimePrices::default(),
        }
    }
}

// === impl Patience ===

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            settle: Duration::from_secs(1),
            answer: Duration::from_secs(2),
            gap: Duration::from_secs(2),
            transcript: Duration::from_secs(3),
            rest: Duration::from_secs(20),
            idle: Duration::from_secs(600),
        }
    }
}
