//! Which jobs are being done and which are done: what makes a job that is handed over twice apply once.
//! Kept in D1, since the queue delivers at least once and any isolate may get it.

use serde::Deserialize;
use worker::wasm_bindgen::JsValue;
use worker::{D1Database, Env};

use crate::http::ApiError;

/// How long a try may take before another may begin, ms. Longer than any patience in this folder.
const LEASE_MS: u64 = 60_000;

/// Whether a try may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It may; so many there were, with this one.
    Granted {
        tries: u32,
    },
    Done,
    /// Somebody is at it.
    Busy,
}

#[derive(Deserialize)]
struct Running {
    tries: u32,
}

#[derive(Deserialize)]
struct LastError {
    last_error: String,
}

/// Asks to begin a try.
///
/// # Errors
/// If the database does not answer.
pub async fn claim(env: &Env, job_id: &str, now_ms: u64) -> Result<Claim, ApiError> {
    let database = env.d1("DB")?;
    let done = database.prepare("SELECT job_id FROM done_jobs WHERE job_id = ?").bind(&[job_id.into()])?;
    if done.first::<serde_json::Value>(None).await?.is_some() {
        return Ok(Claim::Done);
    }
    let granted: Option<Running> = database
        .prepare(
            "INSERT INTO running_jobs (job_id, tries, claimed_until_ms) VALUES (?1, 1, ?3) ON CONFLICT DO UPDATE \
             SET tries = tries + 1, claimed_until_ms = ?3 WHERE claimed_until_ms <= ?2 RETURNING tries",
        )
        .bind(&[job_id.into(), number(now_ms), number(now_ms + LEASE_MS)])?
        .first(None)
        .await?;
    Ok(granted.map_or(Claim::Busy, |running| Claim::Granted { tries: running.tries }))
}

/// The job is done: no other try will begin.
///
/// # Errors
/// If the database does not answer.
pub async fn done(env: &Env, job_id: &str, now_ms: u64) -> Result<(), ApiError> {
    let database = env.d1("DB")?;
    let done =
        database.prepare("INSERT OR IGNORE INTO done_jobs VALUES (?, ?)").bind(&[job_id.into(), number(now_ms)])?;
    database.batch(vec![done, forget(&database, job_id)?]).await?;
    Ok(())
}

/// The try failed; the next may begin at once.
///
/// # Errors
/// If the database does not answer.
pub async fn failed(env: &Env, job_id: &str, error: &str) -> Result<(), ApiError> {
    env.d1("DB")?
        .prepare("UPDATE running_jobs SET claimed_until_ms = 0, last_error = ? WHERE job_id = ?")
        .bind(&[error.into(), job_id.into()])?
        .run()
        .await?;
    Ok(())
}

/// Why the last try of a job failed.
///
/// # Errors
/// If the database does not answer.
pub async fn last_error(env: &Env, job_id: &str) -> Result<Option<String>, ApiError> {
    let statement = env.d1("DB")?.prepare("SELECT last_error FROM running_jobs WHERE job_id = ?");
    let found: Option<LastError> = statement.bind(&[job_id.into()])?.first(None).await?;
    Ok(found.map(|found| found.last_error).filter(|error| !error.is_empty()))
}

/// Tries are counted anew.
///
/// # Errors
/// If the statement cannot be made.
pub fn forget(database: &D1Database, job_id: &str) -> worker::Result<worker::D1PreparedStatement> {
    database.prepare("DELETE FROM running_jobs WHERE job_id = ?").bind(&[job_id.into()])
}

fn number(value: u64) -> JsValue {
    JsValue::from_f64(value as f64)
}
