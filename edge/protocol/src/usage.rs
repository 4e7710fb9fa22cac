//! What a call used of those who charge for it: speech providers, and the line.
//! Prices are the node's; what the account is charged for the call is `accounts`' matter.

use serde::{Deserialize, Serialize};

use crate::SpeechStage;

/// What a call used of one provider at one stage, and what that cost by the node's price table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderUsage {
    /// Name in the node's settings: `main`, `offline`, that of `[speech.providers.NAME]`, `realtime` or `telephony`.
    pub provider: String,
    pub stage: UsageStage,
    /// Requests that were served, or given up by the caller.
    pub requests: u32,
    /// Times that no request was needed, because the node had kept what was wanted: not charged, not among `requests`.
    #[serde(default)]
    pub kept: u32,
    /// Transcription: milliseconds of the caller's speech. Telephony: of the line, once it was answered.
    #[serde(default)]
    pub audio_ms: u64,
    /// Chat and speech-to-speech: tokens read, those among them that came from the provider's cache, and tokens written.
    /// Of chat they are estimated, four characters each, where the provider does not tell.
    #[serde(default)]
    pub input_tokens: u64,
    #[serde(default)]
    pub cached_tokens: u64,
    #[serde(default)]
    pub output_tokens: u64,
    /// Synthesis: characters of text.
    #[serde(default)]
    pub characters: u64,
    pub cost_microcredits: i64,
}

/// What a provider was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageStage {
    Transcription,
    Chat,
    Synthesis,
    /// One model heard and spoke.
    Realtime,
    /// The line itself.
    Telephony,
}

// === impl ProviderUsage ===

impl ProviderUsage {
    /// Nothing used yet.
    pub fn none(provider: &str, stage: UsageStage) -> Self {
        Self {
            provider: provider.to_owned(),
            stage,
            requests: 0,
            kept: 0,
            audio_ms: 0,
            input_tokens: 0,
            cached_tokens: 0,
            output_tokens: 0,
            characters: 0,
            cost_microcredits: 0,
        }
    }
}

// === impl UsageStage ===

impl From<SpeechStage> for UsageStage {
    fn from(stage: SpeechStage) -> Self {
        match stage {
            SpeechStage::Transcription => Self::Transcription,
            SpeechStage::Chat => Self::Chat,
            SpeechStage::Synthesis => Self::Synthesis,
        }
    }
}
