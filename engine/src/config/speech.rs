//! `[speech]`: who hears, thinks and speaks for a node, in which order, and how long each stage may take.
//! The providers are connected in `node::speech`; how each is spoken to is `crate::speech`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{ApiKey, RealtimeConfig};

/// The provider that `[speech]` itself describes.
pub const MAIN: &str = "main";
/// The node's own speech, which needs no network.
pub const OFFLINE: &str = "offline";

/// Where the words come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpeechConfig {
    /// Base URL of an OpenAI-compatible server, with `/v1`. Empty: OpenAI if there is a key, else offline.
    pub base_url: String,
    pub api_key: ApiKey,
    pub transcription_model: String,
    pub chat_model: String,
    pub speech_model: String,
    /// Voice of the synthesis; empty: the agent file's.
    pub voice: String,
    /// Address of the offline speech server, which is started when somebody is to use it.
    pub offline: SocketAddr,
    pub order: OrderConfig,
    /// Nothing of an answer for so long, ms: the next provider is asked too, and the first to deliver serves. 0: never.
    pub hedge_after_ms: u32,
    /// Room for the audio of sentences that are said often, MiB.
    pub kept_voice_mb: u16,
    /// With nothing but failures for so long, calls end.
    pub give_up_after_s: u32,
    pub timeouts: TimeoutsConfig,
    pub breaker: BreakerConfig,
    pub realtime: RealtimeConfig,
    /// What [`MAIN`] charges.
    pub prices: PricesConfig,
    /// More providers, by their names in `order`.
    pub providers: BTreeMap<String, ProviderConfig>,
}

/// Providers of each stage, the best first: [`MAIN`], [`OFFLINE`], or one of `[speech.providers.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrderConfig {
    pub transcription: Vec<String>,
    pub chat: Vec<String>,
    pub synthesis: Vec<String>,
}

/// Longest waits, ms; what each stage's covers is [`crate::speech::openai::Timeouts`]'s to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsConfig {
    pub transcription_ms: u32,
    pub first_token_ms: u32,
    pub token_gap_ms: u32,
    pub first_audio_ms: u32,
    pub audio_gap_ms: u32,
    /// All stages together, as the caller waits.
    pub answer_ms: u32,
}

/// When a provider that fails is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerConfig {
    /// Failures in a row.
    pub failures: u32,
    pub pause_ms: u32,
}

/// Whose API a provider speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    #[default]
    Openai,
    /// Anthropic's Messages API, which is chat only.
    Anthropic,
}

/// A further provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderConfig {
    pub kind: ProviderKind,
    /// OpenAI's kind with `/v1`, Anthropic's without; empty: OpenAI or Anthropic itself.
    pub base_url: String,
    pub api_key: ApiKey,
    /// Environment variable the key is taken from, where `api_key` is empty.
    pub api_key_env: String,
    pub transcription_model: String,
    pub chat_model: String,
    pub speech_model: String,
    /// Voice of the synthesis; an agent's own voice is asked of the first provider only.
    pub voice: String,
    /// Sample rate of the provider's `pcm` format, Hz.
    pub speech_rate_hz: u32,
    /// Longest answer of Anthropic's kind, tokens.
    pub max_tokens: u32,
    pub prices: PricesConfig,
}

/// What a provider charges, in microcredits (a millionth of a credit).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PricesConfig {
    /// A minute of transcribed speech.
    pub transcription_minute: u64,
    /// A million tokens read, read from the provider's cache, and written.
    pub input_million: u64,
    pub cached_million: u64,
    pub output_million: u64,
    /// A million characters spoken.
    pub characters_million: u64,
}

/// Speech that cannot be had this way.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpeechConfigError {
    #[error("{key} {url:?} is not an http or https URL")]
    BaseUrl { key: String, url: String },
    #[error("speech.order.{stage} names nobody")]
    Nobody { stage: &'static str },
    #[error("speech.order.{stage} names {name:?}, and there is no [speech.providers.{name}]")]
    Unknown { stage: &'static str, name: String },
    #[error("speech.order.{stage} names {name:?} twice")]
    Twice { stage: &'static str, name: String },
    #[error("speech.order.{stage} names {name:?}, which is Anthropic's kind and does nothing but chat")]
    ChatOnly { stage: &'static str, name: String },
    #[error("[speech.providers.{name}]: {name:?} is a name of ours, take another")]
    Taken { name: String },
    #[error("{key} = {value}: must be {} to {}", range.start(), range.end())]
    OutOfRange { key: String, value: u32, range: RangeInclusive<u32> },
}

const TIMEOUT_MS: RangeInclusive<u32> = 100..=60_000;
const HEDGE_MS: RangeInclusive<u32> = 0..=60_000;
const FAILURES: RangeInclusive<u32> = 1..=1000;
const GIVE_UP_S: RangeInclusive<u32> = 0..=86_400;
const PAUSE_MS: RangeInclusive<u32> = 100..=3_600_000;
const MAX_TOKENS: RangeInclusive<u32> = 1..=100_000;
const RATE_HZ: RangeInclusive<u32> = 8000..=48_000;

// === impl SpeechConfig ===

impl Default for SpeechConfig {
    fn default() -> Self {
        let ProviderConfig { transcription_model, chat_model, speech_model, .. } = ProviderConfig::default();
        Self {
            base_url: String::new(),
            api_key: ApiKey::default(),
            transcription_model,
            chat_model,
            speech_model,
            voice: String::new(),
            offline: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            order: OrderConfig::default(),
            hedge_after_ms: 0,
            kept_voice_mb: 64,
            give_up_after_s: 120,
            timeouts: TimeoutsConfig::default(),
            breaker: BreakerConfig::default(),
            realtime: RealtimeConfig::default(),
            prices: PricesConfig::default(),
            providers: BTreeMap::new(),
        }
    }
}

impl SpeechConfig {
    /// Neither a base URL nor a key: [`MAIN`] is the node's own speech.
    pub fn is_offline(&self) -> bool {
        self.base_url.is_empty() && self.api_key.0.is_empty()
    }

    /// The provider of that name, unless it is the node's own speech.
    pub fn provider(&self, name: &str) -> Option<ProviderConfig> {
        match name {
            OFFLINE => None,
            MAIN if self.is_offline() => None,
            MAIN => Some(ProviderConfig {
                base_url: self.base_url.clone(),
                api_key: self.api_key.clone(),
                transcription_model: self.transcription_model.clone(),
                chat_model: self.chat_model.clone(),
                speech_model: self.speech_model.clone(),
                voice: self.voice.clone(),
                prices: self.prices.clone(),
                ..ProviderConfig::default()
            }),
            _ => self.providers.get(name).cloned(),
        }
    }

    pub(super) fn take_environment(&mut self) {
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        if self.api_key.0.is_empty() {
            self.api_key = ApiKey(variable("OPENAI_API_KEY"));
        }
        if self.base_url.is_empty() {
            self.base_url = variable("OPENAI_BASE_URL");
        }
        for provider in self.providers.values_mut().filter(|p| p.api_key.0.is_empty() && !p.api_key_env.is_empty()) {
            provider.api_key = ApiKey(variable(&provider.api_key_env));
        }
    }

    pub(super) fn check(&self) -> Result<(), SpeechConfigError> {
        is_url("speech.base_url".to_owned(), &self.base_url)?;
        for (name, provider) in &self.providers {
            if [MAIN, OFFLINE].contains(&name.as_str()) {
                return Err(SpeechConfigError::Taken { name: name.clone() });
            }
            is_url(format!("speech.providers.{name}.base_url"), &provider.base_url)?;
            is_within(format!("speech.providers.{name}.speech_rate_hz"), provider.speech_rate_hz, &RATE_HZ)?;
            is_within(format!("speech.providers.{name}.max_tokens"), provider.max_tokens, &MAX_TOKENS)?;
        }
        let OrderConfig { transcription, chat, synthesis } = &self.order;
        for (stage, names) in [("transcription", transcription), ("chat", chat), ("synthesis", synthesis)] {
            self.check_order(stage, names)?;
        }
        let TimeoutsConfig { transcription_ms, first_token_ms, token_gap_ms, first_audio_ms, audio_gap_ms, answer_ms } =
            self.timeouts;
        let timeouts = [
            ("transcription_ms", transcription_ms),
            ("first_token_ms", first_token_ms),
            ("token_gap_ms", token_gap_ms),
            ("first_audio_ms", first_audio_ms),
            ("audio_gap_ms", audio_gap_ms),
            ("answer_ms", answer_ms),
        ];
        for (key, value) in timeouts {
            is_within(format!("speech.timeouts.{key}"), value, &TIMEOUT_MS)?;
        }
        is_within("speech.hedge_after_ms".to_owned(), self.hedge_after_ms, &HEDGE_MS)?;
        is_within("speech.give_up_after_s".to_owned(), self.give_up_after_s, &GIVE_UP_S)?;
        is_within("speech.breaker.failures".to_owned(), self.breaker.failures, &FAILURES)?;
        is_within("speech.breaker.pause_ms".to_owned(), self.breaker.pause_ms, &PAUSE_MS)
    }

    fn check_order(&self, stage: &'static str, names: &[String]) -> Result<(), SpeechConfigError> {
        if names.is_empty() {
            return Err(SpeechConfigError::Nobody { stage });
        }
        for (at, name) in names.iter().enumerate() {
            if names.iter().take(at).any(|before| before == name) {
                return Err(SpeechConfigError::Twice { stage, name: name.clone() });
            }
            match self.providers.get(name) {
                None if [MAIN, OFFLINE].contains(&name.as_str()) => {}
                None => return Err(SpeechConfigError::Unknown { stage, name: name.clone() }),
                Some(provider) if provider.kind == ProviderKind::Anthropic && stage != "chat" => {
                    return Err(SpeechConfigError::ChatOnly { stage, name: name.clone() });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn is_url(key: String, url: &str) -> Result<(), SpeechConfigError> {
    if url.is_empty() || url.starts_with("http://") || url.starts_with("https://") {
        return Ok(());
    }
    Err(SpeechConfigError::BaseUrl { key, url: url.to_owned() })
}

fn is_within(key: String, value: u32, range: &RangeInclusive<u32>) -> Result<(), SpeechConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(SpeechConfigError::OutOfRange { key, value, range: range.clone() })
}

// === impl OrderConfig ===

impl OrderConfig {
    /// Somebody named in any stage.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.transcription.iter().chain(&self.chat).chain(&self.synthesis).map(String::as_str)
    }
}

impl Default for OrderConfig {
    fn default() -> Self {
        let main = || vec![MAIN.to_owned()];
        Self { transcription: main(), chat: main(), synthesis: main() }
    }
}

impl Default for TimeoutsConfig {
    fn default() -> Self {
        Self {
            transcription_ms: 2200,
            first_token_ms: 2200,
            token_gap_ms: 2000,
            first_audio_ms: 1700,
            audio_gap_ms: 2000,
            answer_ms: 2600,
        }
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 3, pause_ms: 10_000 }
    }
}

impl Default for ProviderConfig {
    fn default() -> Self {
        Self {
            kind: ProviderKind::default(),
            base_url: String::new(),
            api_key: ApiKey::default(),
            api_key_env: String::new(),
            transcription_model: "gpt-4o-mini-transcribe".to_owned(),
            chat_model: "gpt-4o-mini".to_owned(),
            speech_model: "gpt-4o-mini-tts".to_owned(),
            voice: String::new(),
            speech_rate_hz: 24_000,
            max_tokens: 1024,
            prices: PricesConfig::default(),
        }
    }
}

#[cfg(test)]
mod tests;
