//! What providers charge, and what a use of them costs by that.
//! Who used them for what is `bill`'s business.

use std::collections::BTreeMap;

use edge_protocol::{ProviderUsage, UsageStage};

use super::ports::Tokens;
use crate::call::usage::{MINUTE_MS, cost};

/// The provider of speech-to-speech on the bill.
const REALTIME: &str = "realtime";

const MILLION: u64 = 1_000_000;

/// A provider's prices, microcredits (a millionth of what prices are quoted in).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prices {
    /// A minute of transcribed speech.
    pub transcription_minute: u64,
    /// A million tokens read, those from the provider's cache, and those written.
    pub input_million: u64,
    pub cached_million: u64,
    pub output_million: u64,
    /// A million characters spoken.
    pub characters_million: u64,
}

/// Prices of a model that hears and speaks, microcredits for a million tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RealtimePrices {
    /// Read: of text, of audio, and of either from the provider's cache.
    pub input_million: u64,
    pub audio_input_million: u64,
    pub cached_million: u64,
    /// Written: of text and of audio.
    pub output_million: u64,
    pub audio_output_million: u64,
}

/// Tokens of a spoken answer. Those of text are told apart; the others are of audio.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpokenTokens {
    /// Read; what came from the cache is among them.
    pub input: u64,
    pub text_input: u64,
    pub cached: u64,
    pub cached_text: u64,
    pub output: u64,
    pub text_output: u64,
}

/// The prices of all providers, by their names; who is not named costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Tariff(BTreeMap<String, Prices>);

// === impl Tariff ===

impl Tariff {
    pub fn new(prices: impl IntoIterator<Item = (String, Prices)>) -> Self {
        Self(prices.into_iter().collect())
    }

    pub fn transcription(&self, provider: &str, audio_ms: u64) -> ProviderUsage {
        let cost = cost(&[(audio_ms, self.of(provider).transcription_minute)], MINUTE_MS);
        ProviderUsage { audio_ms, ..one(provider, UsageStage::Transcription, cost) }
    }

    pub fn chat(&self, provider: &str, Tokens { input, cached, output }: Tokens) -> ProviderUsage {
        let prices = self.of(provider);
        let read = input.saturating_sub(cached);
        let parts = [(read, prices.input_million), (cached, prices.cached_million), (output, prices.output_million)];
        let used = one(provider, UsageStage::Chat, cost(&parts, MILLION));
        ProviderUsage { input_tokens: input, cached_tokens: cached, output_tokens: output, ..used }
    }

    pub fn synthesis(&self, provider: &str, characters: u64) -> ProviderUsage {
        let cost = cost(&[(characters, self.of(provider).characters_million)], MILLION);
        ProviderUsage { characters, ..one(provider, UsageStage::Synthesis, cost) }
    }

    /// What was wanted of synthesis was kept from before.
    pub fn kept(provider: &str) -> ProviderUsage {
        ProviderUsage { requests: 0, kept: 1, ..one(provider, UsageStage::Synthesis, 0) }
    }

    fn of(&self, provider: &str) -> Prices {
        self.0.get(provider).copied().unwrap_or_default()
    }
}

// === impl RealtimePrices ===

impl RealtimePrices {
    pub fn answer(&self, tokens: SpokenTokens) -> ProviderUsage {
        let SpokenTokens { input, text_input, cached, cached_text, output, text_output } = tokens;
        let cached_audio = cached.saturating_sub(cached_text);
        let audio_input = input.saturating_sub(text_input);
        let parts = [
            (text_input.saturating_sub(cached_text), self.input_million),
            (audio_input.saturating_sub(cached_audio), self.audio_input_million),
            (cached, self.cached_million),
            (text_output, self.output_million),
            (output.saturating_sub(text_output), self.audio_output_million),
        ];
        let used = one(REALTIME, UsageStage::Realtime, cost(&parts, MILLION));
        ProviderUsage { input_tokens: input, cached_tokens: cached, output_tokens: output, ..used }
    }
}

fn one(provider: &str, stage: UsageStage, cost_microcredits: i64) -> ProviderUsage {
    ProviderUsage { requests: 1, cost_microcredits, ..ProviderUsage::none(provider, stage) }
}

#[cfg(test)]
mod tests;
