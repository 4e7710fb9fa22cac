//! What an event of a call causes outside of it, when it is tried again, and by which id it is done once.
//! How it is done is `object`'s.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::state::CallState;

/// One thing to be done until it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The account pays the call's seconds.
    Settle,
    /// The database keeps the summary.
    Record,
    /// The node registry counts the call.
    Count,
    /// The customer's server hears that the call is over.
    TellEnded,
    /// The customer's server hears that the recording is there.
    TellRecording,
    Transcribe,
}

// === impl Effect ===

impl Effect {
    /// As stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Settle => "settle",
            Self::Record => "record",
            Self::Count => "count",
            Self::TellEnded => "tell_ended",
            Self::TellRecording => "tell_recording",
            Self::Transcribe => "transcribe",
        }
    }

    /// What must be done before: the customer is told what the call cost.
    pub fn after(self) -> Option<Self> {
        (self == Self::TellEnded).then_some(Self::Settle)
    }

    /// Id of the job of this effect: the same whenever it is made, so that it is done once.
    pub fn job_id(self, call_id: &str) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let digest = Sha256::digest(format!("{}:{call_id}", self.name()));
        let digits = digest.iter().take(20).filter_map(|byte| ALPHABET.get(usize::from(byte & 31)));
        format!("job_{}", digits.map(|digit| char::from(*digit)).collect::<String>())
    }
}

/// What the end of a call causes. Without an account nobody pays and nobody is told.
pub fn of_end(call: &CallState) -> &'static [Effect] {
    match call.account_id() {
        Some(_) => &[Effect::Settle, Effect::Record, Effect::Count, Effect::TellEnded],
        None => &[Effect::Count],
    }
}

/// What a stored recording causes.
pub fn of_recording(call: &CallState) -> &'static [Effect] {
    match call.account_id() {
        Some(_) if call.ended() => &[Effect::Record, Effect::TellRecording, Effect::Transcribe],
        Some(_) => &[Effect::TellRecording, Effect::Transcribe],
        None => &[],
    }
}

/// How long to wait after so many tries that failed, ms: 1 s, doubled each time, at most 5 min.
pub fn back_off_ms(tries: u32) -> u64 {
    1_000u64.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(300_000)
}

#[cfg(test)]
mod tests;
