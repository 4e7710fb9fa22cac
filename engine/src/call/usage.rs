//! What a call used of speech providers, added up by provider and stage, and of the line.
//! What providers cost was worked out where they were used.

use edge_protocol::{ProviderUsage, UsageStage};

/// The line's place on the bill.
const TELEPHONY: &str = "telephony";

pub const MINUTE_MS: u64 = 60_000;

/// The sums of one call.
#[derive(Debug, Default)]
pub struct Usage(Vec<ProviderUsage>);

// === impl Usage ===

impl Usage {
    pub fn add(&mut self, used: ProviderUsage) {
        let same = |sum: &&mut ProviderUsage| sum.stage == used.stage && sum.provider == used.provider;
        match self.0.iter_mut().find(same) {
            Some(sum) => {
                sum.requests += used.requests;
                sum.kept += used.kept;
                sum.audio_ms += used.audio_ms;
                sum.input_tokens += used.input_tokens;
                sum.cached_tokens += used.cached_tokens;
                sum.output_tokens += used.output_tokens;
                sum.characters += used.characters;
                sum.cost_microcredits += used.cost_microcredits;
            }
            None => self.0.push(used),
        }
    }

    pub fn take(&mut self) -> Vec<ProviderUsage> {
        std::mem::take(&mut self.0)
    }
}

/// What a line cost that was answered for so long; nothing where it has no price.
pub fn of_line(answered_ms: u64, minute_microcredits: u64) -> Option<ProviderUsage> {
    if minute_microcredits == 0 {
        return None;
    }
    let cost_microcredits = cost(&[(answered_ms, minute_microcredits)], MINUTE_MS);
    let line = ProviderUsage::none(TELEPHONY, UsageStage::Telephony);
    Some(ProviderUsage { audio_ms: answered_ms, cost_microcredits, ..line })
}

/// Amounts at their prices for so many of them; rounded up, as nobody charges less than they may.
pub fn cost(parts: &[(u64, u64)], per: u64) -> i64 {
    let sum: u128 = parts.iter().map(|(amount, price)| u128::from(*amount) * u128::from(*price)).sum();
    i64::try_from(sum.div_ceil(u128::from(per))).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
