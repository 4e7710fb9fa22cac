//! Accounts as messages show them: the agent a business profile describes, the balance, the ledger.
//! Money is in microcredits (a millionth of a credit) so that a second of a call is a whole number.

use serde::{Deserialize, Serialize};

/// How an agent hears, thinks and speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pipeline {
    /// Text from speech, an answer from the text, and speech from it: one after the other.
    #[default]
    Stages,
    /// One model hears and speaks.
    Realtime,
}

/// An answer to foreseen questions, which needs no model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedReply {
    /// Whole lines of the caller's; case and marks do not count, and `*` stands for any words.
    pub questions: Vec<String>,
    pub text: String,
}

/// The agent of a business profile, as the engine runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSpec {
    pub name: String,
    /// System prompt: persona and prompt of the profile, with its hours and facts.
    pub instructions: String,
    /// Said first; empty: the caller speaks first.
    pub greeting: String,
    /// Voice of the speech provider; `None`: the node's.
    pub voice: Option<String>,
    /// Said one after the other into the caller's silence.
    #[serde(default)]
    pub silence_prompts: Vec<String>,
    pub goodbye: String,
    pub fallback: String,
    /// Silence that ends the caller's turn, ms, 100 to 5000.
    pub endpointing_ms: u32,
    /// Silence after which a silence prompt is said, ms, 1000 to 120000.
    pub silence_after_ms: u32,
    /// The call ends when no RTP came for so long, seconds, 2 to 3600.
    pub rtp_timeout_s: u32,
    /// Tools in OpenAI's function format. One with a `url` beside `function` is run: a POST of `{call_id, tool, arguments}`
    /// there, signed with `secret` if it has one ([`crate::signature`]); `timeout_ms` (100 to 20000, 8000) is the longest
    /// wait, `filler` what is said meanwhile.
    #[serde(default)]
    pub tools: Vec<serde_json::Value>,
    /// `None`: in stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Pipeline>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<FixedReply>,
    /// False: sentences of its answers are not kept to be said again. `None`: they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_voice: Option<bool>,
    /// Name of the node's chat provider that is asked first. `None`, or one the node does not have: the first in its order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_provider: Option<String>,
}

/// An account's money at one moment. `available_microcredits` is what a new call may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Sum of all ledger entries.
    pub total_microcredits: i64,
    /// Part of the total held by calls that are not settled.
    pub held_microcredits: i64,
    /// `total - held`; never negative.
    pub available_microcredits: i64,
    /// Calls that hold credits now.
    pub active_calls: u32,
}

/// One line of the ledger. The sum over all lines is the total balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Counts from 1 within the account.
    pub id: u64,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    pub kind: LedgerKind,
    /// Positive: into the account.
    pub microcredits: i64,
    /// What it was for: a call id, a grant's or refund's own id. `(kind, reference)` is there once.
    pub reference: String,
}

/// Why money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerKind {
    Grant,
    /// A call's seconds.
    CallCharge,
    Refund,
    /// A correction by an admin.
    Adjustment,
}
