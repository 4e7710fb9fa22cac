//! How the effects of a call are carried out: each may be asked for again and happens once.
//! When that is, is the object's; which there are, `effects`'.

use edge_protocol::live::CallSummary;
use serde::Deserialize;
use serde_json::{Value, json};
use worker::Env;

use super::effects::Effect;
use super::state::{CallState, is_failure};
use crate::accounts::database;
use crate::accounts::verbs::{SettleAnswer, SettleQuestion};
use crate::http::ApiError;
use crate::jobs::{self, Job, JobKind};
use crate::nodes::stats::EndedCall;
use crate::objects;
use crate::observe::{self, CallPoint};

/// Events are kept so long unless the account says otherwise, days.
const RETENTION_DAYS: u64 = 30;

/// What was learned while an effect was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Plainly,
    /// What the call cost, microcredits.
    Cost(i64),
    /// The events may go then, ms since the Unix epoch.
    KeptUntil(u64),
}

#[derive(Deserialize)]
struct Retention {
    retention_days: u64,
}

/// Carries out one effect.
///
/// # Errors
/// If it was not done; it is to be tried again.
pub async fn carry_out(env: &Env, effect: Effect, call: &CallState) -> Result<Done, ApiError> {
    let summary = &call.summary;
    match effect {
        Effect::Settle => settle(env, call).await,
        Effect::Record => record(env, summary).await,
        Effect::Count => {
            let _: Value = objects::ask(env, "NODES", "nodes", "call_ended", &ended_call(call)).await?;
            Ok(Done::Plainly)
        }
        Effect::TellEnded => tell(env, effect, summary, "call.ended", json!({ "call": summary })).await,
        Effect::TellRecording => {
            let recording = json!({ "call_id": summary.call_id, "started_at_ms": summary.started_at_ms });
            tell(env, effect, summary, "recording.ready", recording).await
        }
        Effect::Transcribe => {
            let kind = JobKind::Transcribe { call_id: summary.call_id.clone() };
            enqueue(env, effect, summary, kind).await
        }
    }
}

async fn settle(env: &Env, call: &CallState) -> Result<Done, ApiError> {
    let summary = &call.summary;
    let question = SettleQuestion { call_id: summary.call_id.clone(), duration_ms: summary.duration_ms };
    let settled: Result<SettleAnswer, _> =
        objects::ask(env, "ACCOUNTS", &summary.account_id, "settle", &question).await;
    match settled {
        Ok(answer) => {
            observe::call_ended(env, &point(call, answer.charged_microcredits));
            Ok(Done::Cost(answer.charged_microcredits))
        }
        // An account that does not exist pays nothing, however often it is asked.
        Err(error) if error.status == 404 => {
            worker::console_error!("call {}: nobody to settle with: {}", summary.call_id, error.message);
            Ok(Done::Plainly)
        }
        Err(error) => Err(error),
    }
}

async fn record(env: &Env, summary: &CallSummary) -> Result<Done, ApiError> {
    let database = database::database(env)?;
    let text = serde_json::to_string(summary).map_err(|e| ApiError::internal(e.to_string()))?;
    let cause = cause(summary);
    let upsert = "INSERT INTO calls (call_id, account_id, started_at_ms, duration_ms, cause, summary) \
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (call_id) DO UPDATE SET duration_ms = excluded.duration_ms, \
         cause = excluded.cause, summary = excluded.summary";
    let values = [
        summary.call_id.as_str().into(),
        summary.account_id.as_str().into(),
        database::number(summary.started_at_ms),
        database::number(summary.duration_ms),
        cause.into(),
        text.into(),
    ];
    database::run(&database, upsert, &values).await?;
    let query = "SELECT retention_days FROM accounts WHERE account_id = ?";
    let kept: Option<Retention> = database::first(&database, query, &[summary.account_id.as_str().into()]).await?;
    let days = kept.map_or(RETENTION_DAYS, |kept| kept.retention_days);
    Ok(Done::KeptUntil(summary.started_at_ms + summary.duration_ms + days.max(1) * 86_400_000))
}

async fn tell(env: &Env, effect: Effect, summary: &CallSummary, event: &str, payload: Value) -> Result<Done, ApiError> {
    enqueue(env, effect, summary, JobKind::Webhook { event: event.to_owned(), payload }).await
}

async fn enqueue(env: &Env, effect: Effect, summary: &CallSummary, kind: JobKind) -> Result<Done, ApiError> {
    let job = Job { job_id: effect.job_id(&summary.call_id), account_id: summary.account_id.clone(), kind };
    jobs::enqueue(env, job).await?;
    Ok(Done::Plainly)
}

/// As on the wire; empty while the call is live.
fn cause(summary: &CallSummary) -> String {
    let cause = serde_json::to_value(summary.cause).ok();
    cause.and_then(|cause| cause.as_str().map(str::to_owned)).unwrap_or_default()
}

fn point(call: &CallState, cost_microcredits: i64) -> CallPoint {
    let summary = &call.summary;
    CallPoint {
        account_id: summary.account_id.clone(),
        call_id: summary.call_id.clone(),
        node: summary.node.clone(),
        cause: cause(summary),
        good: !summary.cause.is_some_and(is_failure),
        duration_ms: summary.duration_ms,
        turns: summary.turns,
        cost_microcredits,
        latency_ms: summary.latency.map_or(0, |latency| latency.caller_heard_ms.into()),
    }
}

fn ended_call(call: &CallState) -> EndedCall {
    let summary = &call.summary;
    EndedCall {
        call_id: summary.call_id.clone(),
        node: summary.node.clone(),
        started_at_ms: summary.started_at_ms,
        duration_ms: summary.duration_ms,
        failed: summary.cause.is_some_and(is_failure),
        mos: summary.quality.map_or(0.0, |quality| quality.mos),
        caller_heard_ms: call.latencies.iter().map(|latency| latency.caller_heard_ms).collect(),
    }
}
