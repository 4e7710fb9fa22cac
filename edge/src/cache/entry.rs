//! What a cache entry is called, how long it lives, how its source is asked again.
//! Where entries are kept is `layers`'.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a value comes from when no layer has it. Named, not a closure: the object that fills a layer runs elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Source {
    /// `CallSummary` of an ended call.
    CallSummary { call_id: String },
    /// A recording's row.
    Recording { call_id: String },
}

/// A value with the end of its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
    pub value: Value,
}

/// Where a value was found; the value of `X-Cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    Edge,
    Kv,
    Source,
}

/// KV keeps nothing for less, seconds.
const KV_LEAST_S: u64 = 60;
/// How often a source is asked in all.
pub const TRIES: u32 = 3;

// === impl Source ===

impl Source {
    /// The entry's name in every layer. `version` is the deployment's: a new one knows nothing of the old.
    pub fn key(&self, version: &str) -> String {
        match self {
            Self::CallSummary { call_id } => format!("{version}/call/{call_id}"),
            Self::Recording { call_id } => format!("{version}/recording/{call_id}"),
        }
    }

    /// How long a value lives, ms.
    pub fn ttl_ms(&self) -> u64 {
        match self {
            // Ended calls change once or twice more: cost, recording.
            Self::CallSummary { .. } => 5 * 60_000,
            Self::Recording { .. } => 60_000,
        }
    }
}

// === impl Entry ===

impl Entry {
    pub fn new(source: &Source, value: Value, now_ms: u64) -> Self {
        Self { expires_at_ms: now_ms.saturating_add(source.ttl_ms()), value }
    }

    pub fn is_fresh(&self, now_ms: u64) -> bool {
        now_ms < self.expires_at_ms
    }

    /// `max-age` for the data centre's layer, seconds: what is left, rounded down so that no layer outlives the entry.
    pub fn edge_ttl_s(&self, now_ms: u64) -> u64 {
        self.expires_at_ms.saturating_sub(now_ms) / 1000
    }

    /// For KV, seconds. It may be longer than what is left: readers go by `expires_at_ms`.
    pub fn kv_ttl_s(&self, now_ms: u64) -> u64 {
        self.edge_ttl_s(now_ms).saturating_add(1).max(KV_LEAST_S)
    }
}

// === impl Layer ===

impl Layer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Edge => "HIT-EDGE",
            Self::Kv => "HIT-KV",
            Self::Source => "MISS",
        }
    }
}

/// How long to wait before asking a source again after `tries` failures, ms; `None`: not again.
pub fn back_off_ms(tries: u32) -> Option<u64> {
    (tries < TRIES).then(|| 50u64.saturating_mul(4u64.saturating_pow(tries.saturating_sub(1))))
}

#[cfg(test)]
mod tests;
