//! The failed list: jobs no further try is made of, kept until an admin replays them.
//! A job replayed has its id still, so what was applied stays applied once.

use serde::Deserialize;
use serde_json::{Value, json};
use worker::wasm_bindgen::JsValue;
use worker::{D1Database, Env, Response};

use super::{Job, enqueue, ledger};
use crate::clock;
use crate::http::{Answer, ApiError, Call, ok};
use crate::observe;

const MOST: u32 = 500;

#[derive(Deserialize)]
struct Row {
    job_id: String,
    account_id: String,
    kind: String,
    job: String,
    error: String,
    failed_at_ms: u64,
    replayed_at_ms: Option<u64>,
}

/// Puts a job on the list.
///
/// # Errors
/// If the database does not answer.
pub async fn keep(env: &Env, job: &Job, error: &str) -> Result<(), ApiError> {
    let text = serde_json::to_string(job).map_err(|e| ApiError::internal(e.to_string()))?;
    insert(env, &job.job_id, &job.account_id, job.kind.name(), &text, error).await
}

/// The same for a message that is no job, which only a fault of ours can be.
///
/// # Errors
/// If the database does not answer.
pub async fn keep_unreadable(env: &Env, message_id: &str, text: &str) -> Result<(), ApiError> {
    let job_id = format!("msg_{message_id}");
    insert(env, &job_id, "", "unreadable", text, "the message is no job").await?;
    observe::alert(env, "a message is no job", &[("job_id", &job_id)]).await;
    Ok(())
}

async fn insert(env: &Env, job_id: &str, account_id: &str, kind: &str, job: &str, error: &str) -> Result<(), ApiError> {
    let database = env.d1("DB")?;
    let row = database
        .prepare(
            "INSERT INTO failed_jobs (job_id, account_id, kind, job, error, failed_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT DO UPDATE SET error = ?5, failed_at_ms = ?6, replayed_at_ms = NULL",
        )
        .bind(&[job_id.into(), account_id.into(), kind.into(), job.into(), error.into(), number(clock::now_ms())])?;
    database.batch(vec![row, ledger::forget(&database, job_id)?]).await?;
    Ok(())
}

/// `GET /v1/admin/failed-jobs?limit&replayed`: newest first; those already replayed only with `replayed=true`.
///
/// # Errors
/// 400 for a limit that is no number.
pub async fn list(call: &Call) -> Answer {
    let limit = call.query("limit").map_or(Ok(100), str::parse::<u32>);
    let limit = limit.map_err(|_| ApiError::bad_request("the limit is no number"))?.min(MOST);
    let replayed = call.query("replayed") == Some("true");
    let rows: Vec<Row> = call
        .env
        .d1("DB")?
        .prepare(
            "SELECT * FROM failed_jobs WHERE ? OR replayed_at_ms IS NULL ORDER BY failed_at_ms DESC, job_id LIMIT ?",
        )
        .bind(&[u32::from(replayed).into(), limit.into()])?
        .all()
        .await?
        .results()?;
    let jobs: Vec<Value> = rows.into_iter().map(Row::shown).collect();
    ok(&json!({ "failed_jobs": jobs }))
}

/// `POST /v1/admin/failed-jobs/{job_id}/replay`: into the queue again, under the same id, with fresh tries.
///
/// # Errors
/// 404 for a job that is not on the list, 409 for one replayed before or one that cannot be read.
pub async fn replay(call: &Call) -> Answer {
    let job_id = call.params.get("job_id");
    let database = call.env.d1("DB")?;
    let row: Option<Row> =
        database.prepare("SELECT * FROM failed_jobs WHERE job_id = ?").bind(&[job_id.into()])?.first(None).await?;
    let row = row.ok_or_else(|| ApiError::not_found("there is no such job on the failed list"))?;
    let Ok(job) = serde_json::from_str::<Job>(&row.job) else {
        return Err(ApiError::conflict("the job cannot be read, so it cannot be done"));
    };
    if !mark(&database, job_id, call.now_ms).await? {
        return Err(ApiError::conflict("the job has been replayed"));
    }
    if let Err(error) = enqueue(&call.env, job).await {
        let unmark = database.prepare("UPDATE failed_jobs SET replayed_at_ms = NULL WHERE job_id = ?");
        unmark.bind(&[job_id.into()])?.run().await?;
        return Err(error);
    }
    Ok(Response::from_json(&json!({ "job_id": job_id }))?.with_status(202))
}

/// One replay a failure, however many admins ask.
async fn mark(database: &D1Database, job_id: &str, now_ms: u64) -> Result<bool, ApiError> {
    let marked = database
        .prepare(
            "UPDATE failed_jobs SET replayed_at_ms = ? WHERE job_id = ? AND replayed_at_ms IS NULL RETURNING job_id",
        )
        .bind(&[number(now_ms), job_id.into()])?
        .first::<Value>(None)
        .await?;
    Ok(marked.is_some())
}

// === impl Row ===

impl Row {
    fn shown(self) -> Value {
        let job = serde_json::from_str(&self.job).unwrap_or(Value::String(self.job));
        json!({
            "job_id": self.job_id,
            "account_id": self.account_id,
            "kind": self.kind,
            "error": self.error,
            "failed_at_ms": self.failed_at_ms,
            "replayed_at_ms": self.replayed_at_ms,
            "job": job,
        })
    }
}

fn number(value: u64) -> JsValue {
    JsValue::from_f64(value as f64)
}
