//! How a version of the engine does: calls, failures, how long, how fast, how clear; counted call by call.
//! Which calls were counted before is `object`'s to know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Width of a latency's bucket: each is so many times the one below, so that a percentile is right to 3 %.
const STEP: f64 = 1.06;

/// An ended call, as its object reports it: `call_ended`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndedCall {
    pub call_id: String,
    pub node: String,
    pub started_at_ms: u64,
    pub duration_ms: u64,
    /// The call failed the caller.
    pub failed: bool,
    /// Mean opinion score; 0 where nothing was measured.
    pub mos: f32,
    /// What the caller heard of each turn, ms.
    pub caller_heard_ms: Vec<u32>,
}

/// Sums over the calls of one version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VersionStats {
    pub calls: u64,
    pub errors: u64,
    pub duration_ms: u64,
    pub mos_sum: f64,
    pub mos_calls: u64,
    pub latency_ms: u64,
    pub turns: u64,
    /// Turns by bucket of latency.
    pub latencies: BTreeMap<u32, u64>,
}

// === impl VersionStats ===

impl VersionStats {
    pub fn add(&mut self, call: &EndedCall) {
        self.calls += 1;
        self.errors += u64::from(call.failed);
        self.duration_ms += call.duration_ms;
        if call.mos > 0.0 {
            self.mos_sum += f64::from(call.mos);
            self.mos_calls += 1;
        }
        for heard_ms in &call.caller_heard_ms {
            self.turns += 1;
            self.latency_ms += u64::from(*heard_ms);
            *self.latencies.entry(bucket(*heard_ms)).or_default() += 1;
        }
    }

    /// The sums of both.
    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.duration_ms += other.duration_ms;
        self.mos_sum += other.mos_sum;
        self.mos_calls += other.mos_calls;
        self.latency_ms += other.latency_ms;
        self.turns += other.turns;
        for (bucket, turns) in &other.latencies {
            *self.latencies.entry(*bucket).or_default() += turns;
        }
    }

    /// Share of calls that failed, 0 to 1.
    pub fn error_rate(&self) -> f64 {
        mean(self.errors as f64, self.calls)
    }

    pub fn mean_duration_ms(&self) -> f64 {
        mean(self.duration_ms as f64, self.calls)
    }

    pub fn mean_latency_ms(&self) -> f64 {
        mean(self.latency_ms as f64, self.turns)
    }

    pub fn mos(&self) -> Option<f64> {
        (self.mos_calls > 0).then(|| mean(self.mos_sum, self.mos_calls))
    }

    /// The latency that a share of the turns stays at or below, ms, right to 3 %; `None` without turns.
    pub fn latency_percentile_ms(&self, share: f64) -> Option<u32> {
        let rank = ((self.turns as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, turns) in &self.latencies {
            seen += turns;
            if seen >= rank {
                return Some(middle_ms(*bucket));
            }
        }
        None
    }
}

fn mean(sum: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}

fn bucket(ms: u32) -> u32 {
    (f64::from(ms.max(1)).ln() / STEP.ln()).round() as u32
}

fn middle_ms(bucket: u32) -> u32 {
    STEP.powf(f64::from(bucket)).round() as u32
}

#[cfg(test)]
mod tests;
