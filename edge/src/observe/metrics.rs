//! `GET /metrics`: how many calls, how long, how well; counted by the node registry.
//! Nodes' own metrics are Prometheus' and live on the nodes.

use serde::{Deserialize, Serialize};
use serde_json::json;
use worker::Env;

use crate::http::{Answer, ApiError, Call, ok};
use crate::objects;

/// What `NodeRegistry` answers to `totals`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Calls that ended.
    pub total_calls: u64,
    pub active_calls: u64,
    /// Mean over calls that ended, ms.
    pub average_call_duration_ms: f64,
    /// Share of calls that ended in an error, 0 to 1.
    pub error_rate: f64,
    /// Mean over turns: end of the caller's speech to the first sound of the answer, ms.
    pub average_latency_ms: f64,
}

/// Asks the node registry.
///
/// # Errors
/// If it does not answer.
pub async fn totals(env: &Env) -> Result<Totals, ApiError> {
    objects::ask(env, "NODES", "nodes", "totals", &json!({})).await
}

/// Durations in ms, rates from 0 to 1.
///
/// # Errors
/// Only if no response can be made.
pub async fn serve(call: &Call) -> Answer {
    let (totals, note) = match totals(&call.env).await {
        Ok(totals) => (totals, None),
        Err(error) => (Totals::default(), Some(format!("the node registry does not answer: {}", error.code))),
    };
    let mut metrics = json!({
        "totalCalls": totals.total_calls,
        "activeCalls": totals.active_calls,
        "averageCallDuration": totals.average_call_duration_ms,
        "errorRate": totals.error_rate,
        "averageLatency": totals.average_latency_ms,
    });
    if let (Some(metrics), Some(note)) = (metrics.as_object_mut(), note) {
        metrics.insert("note".to_owned(), note.into());
    }
    ok(&metrics)
}
