//! What the account's object can be asked, and what it answers: JSON between the Worker and the object.
//! The rules behind them are `credits`'.

use edge_protocol::accounts::LedgerEntry;
use edge_protocol::admission::RefusalReason;
use serde::{Deserialize, Serialize};

/// `admit`: may this call start?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmitQuestion {
    pub call_id: String,
    /// Longest call its agent allows, seconds.
    pub max_call_s: u32,
    pub rate_microcredits_per_second: i64,
    /// Calls the account may have at the same time.
    pub max_calls: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum AdmitAnswer {
    /// It may, for so many seconds.
    Accept {
        max_call_s: u32,
    },
    Refuse {
        reason: RefusalReason,
    },
}

/// `settle`: the call is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleQuestion {
    pub call_id: String,
    pub duration_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleAnswer {
    pub charged_microcredits: i64,
    /// What the seconds cost beyond what was there to pay for them.
    pub uncollected_microcredits: i64,
}

/// `grant`, `refund` and `adjust`: money in, or, for an adjustment below zero, out. The same reference is entered once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnterQuestion {
    pub microcredits: i64,
    pub reference: String,
}

/// `ledger`: newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerQuestion {
    pub limit: u32,
    /// Only entries with a lower id.
    pub before: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerAnswer {
    pub entries: Vec<LedgerEntry>,
}

/// `balance` asks nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceQuestion {}
