//! What a call's object can be asked, and what it answers: JSON between the Worker and the object.
//! The rules behind them are `sequence`'s, `state`'s and `effects`'.

use edge_protocol::CallEvent;
use edge_protocol::live::CallSummary;
use serde::{Deserialize, Serialize};

use super::state::TranscriptLine;

/// `prepare`: a token for a session was made; whose agent it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareQuestion {
    pub number: Option<String>,
    pub profile: Option<String>,
}

/// `apply`: events of the call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApplyQuestion {
    pub node: String,
    pub events: Vec<CallEvent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyAnswer {
    /// Every event before it is applied and safe.
    pub next_seq: u64,
}

/// `read` asks nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadAnswer {
    pub summary: CallSummary,
    pub events: Vec<CallEvent>,
    pub transcript: Vec<TranscriptLine>,
}

/// `settled`: what the call cost, should it become known otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledQuestion {
    pub microcredits: i64,
}
