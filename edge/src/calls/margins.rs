//! `GET /v1/admin/accounts/{account_id}/calls`: what ended calls brought and what they cost, for who runs the nodes.
//! What an account sees of its calls is `listing`'s.

use edge_protocol::EndCause;
use edge_protocol::live::CallSummary;
use serde::Serialize;
use serde_json::json;

use super::listing::{self, Page};
use crate::http::{Answer, Call, ok};

/// One call's money, microcredits.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Margin {
    call_id: String,
    started_at_ms: u64,
    duration_ms: u64,
    cause: Option<EndCause>,
    /// What the account was charged; `None` until that is settled.
    charged_microcredits: Option<i64>,
    /// What speech providers and the line cost; `None` for calls from before that was told.
    provider_microcredits: Option<i64>,
    /// The one less the other, once both are known.
    margin_microcredits: Option<i64>,
}

/// Ended calls, newest first, in pages as `/v1/calls` has them.
///
/// # Errors
/// A bad `limit` or `before`, or a database that does not answer.
pub async fn list(call: &Call) -> Answer {
    let Page { calls, next } = listing::ended(call, call.params.get("account_id")).await?;
    let calls: Vec<Margin> = calls.into_iter().map(Margin::from).collect();
    ok(&json!({ "calls": calls, "next": next }))
}

// === impl Margin ===

impl From<CallSummary> for Margin {
    fn from(call: CallSummary) -> Self {
        let (charged, cost) = (call.cost_microcredits, call.provider_microcredits);
        Self {
            call_id: call.call_id,
            started_at_ms: call.started_at_ms,
            duration_ms: call.duration_ms,
            cause: call.cause,
            charged_microcredits: charged,
            provider_microcredits: cost,
            margin_microcredits: charged.zip(cost).map(|(charged, cost)| charged.saturating_sub(cost)),
        }
    }
}

#[cfg(test)]
mod tests;
