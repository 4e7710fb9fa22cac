//! `[speech.realtime]`: the speech-to-speech provider of the agents whose file says `pipeline = "realtime"`.
//! How it is spoken to is `crate::speech::realtime`.

use serde::{Deserialize, Serialize};

use super::ApiKey;
use crate::speech::realtime;

/// A server of OpenAI's Realtime API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RealtimeConfig {
    /// `wss://…/v1` or `https://…/v1`; empty: the provider `[speech]` itself describes.
    pub base_url: String,
    /// Empty: with an empty `base_url`, that provider's.
    pub api_key: ApiKey,
    pub model: String,
    /// Where the agent names none.
    pub voice: String,
    /// Writes down what the caller said.
    pub transcription_model: String,
    /// What its answers cost.
    pub prices: RealtimePricesConfig,
}

/// In microcredits (a millionth of a credit), for a million tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RealtimePricesConfig {
    /// Read: of text, of audio, and of either from the provider's cache.
    pub input_million: u64,
    pub audio_input_million: u64,
    pub cached_million: u64,
    /// Written: of text and of audio.
    pub output_million: u64,
    pub audio_output_million: u64,
}

// === impl RealtimeConfig ===

impl Default for RealtimeConfig {
    fn default() -> Self {
        let realtime::RealtimeConfig { model, voice, transcription_model, .. } = realtime::RealtimeConfig::default();
        let prices = RealtimePricesConfig::default();
        Self { base_url: String::new(), api_key: ApiKey::default(), model, voice, transcription_model, prices }
    }
}
