//! What a call used of speech providers, added up by provider and stage.
//! What it costs was worked out where it was used.

use edge_protocol::ProviderUsage;

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

#[cfg(test)]
mod tests;
