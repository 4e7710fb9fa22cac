//! What is deleted when its time is over: recordings with their transcripts, uploads nobody finished, notes on jobs long
//! done, jobs that failed long ago.
//! Bounded per run and harmless when repeated; a run says whether there is more.

use std::slice;

use serde::{Deserialize, Serialize};
use worker::wasm_bindgen::JsValue;
use worker::{D1Database, Env};

use crate::http::ApiError;

/// How long recordings are kept for an account that is not there any more, days.
pub const DEFAULT_DAYS: u64 = 30;
/// Rows a step takes. An upload is a request of its own to R2, and a run has a limited number of those.
const STEP: u32 = 100;
/// Steps in one run.
const STEPS: u32 = 5;
/// An upload without an end is given up after three days; R2 would after seven.
const UPLOAD_MS: u64 = 3 * 24 * 60 * 60 * 1000;
/// A job seen again after so long is done again: far longer than any queue keeps one.
const DONE_JOB_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// A job that failed can be replayed so long. It holds what the account was to be told.
const FAILED_JOB_MS: u64 = 90 * 24 * 60 * 60 * 1000;

/// What a run deleted.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct CleanUp {
    pub recordings: usize,
    pub uploads: usize,
    pub jobs: usize,
    pub failed_jobs: usize,
    /// The run reached its bound; the next goes on.
    pub more: bool,
}

#[derive(Deserialize)]
struct Due {
    call_id: String,
    object_key: String,
}

#[derive(Deserialize)]
struct Stale {
    upload_id: String,
    object_key: String,
    r2_upload_id: String,
    /// Whether its object is a call's recording: 0 or 1.
    kept: u8,
}

/// Deletes what is due at `now_ms`.
///
/// # Errors
/// If R2 or the database does not answer; what was deleted stays deleted.
pub async fn clean_up(env: &Env, now_ms: u64) -> Result<CleanUp, ApiError> {
    let database = env.d1("DB")?;
    let mut done = CleanUp::default();
    for _ in 0..STEPS {
        let recordings = delete_recordings(env, &database, now_ms).await?;
        let uploads = abort_uploads(env, &database, now_ms.saturating_sub(UPLOAD_MS)).await?;
        let jobs = forget_jobs(&database, now_ms.saturating_sub(DONE_JOB_MS)).await?;
        let failed_jobs = forget_failed_jobs(&database, now_ms.saturating_sub(FAILED_JOB_MS)).await?;
        done.recordings += recordings;
        done.uploads += uploads;
        done.jobs += jobs;
        done.failed_jobs += failed_jobs;
        done.more = [recordings, uploads, jobs, failed_jobs].contains(&(STEP as usize));
        if !done.more {
            break;
        }
    }
    Ok(done)
}

/// First the object, then its row and transcript: a run that is cut short finds the row again.
async fn delete_recordings(env: &Env, database: &D1Database, now_ms: u64) -> Result<usize, ApiError> {
    let due: Vec<Due> = database
        .prepare(
            "SELECT call_id, object_key FROM recordings WHERE delete_after_ms <= ? ORDER BY delete_after_ms LIMIT ?",
        )
        .bind(&[(now_ms as f64).into(), STEP.into()])?
        .all()
        .await?
        .results()?;
    if due.is_empty() {
        return Ok(0);
    }
    env.bucket("RECORDINGS")?.delete_multiple(due.iter().map(|due| due.object_key.as_str()).collect()).await?;
    let calls = ids(due.iter().map(|due| due.call_id.as_str()))?;
    let rows = database
        .prepare("DELETE FROM recordings WHERE delete_after_ms <= ? AND call_id IN (SELECT value FROM json_each(?))")
        .bind(&[(now_ms as f64).into(), calls.clone()])?;
    // A recording that was replaced meanwhile is kept, and so is its transcript.
    let transcripts = database
        .prepare(
            "DELETE FROM transcripts WHERE call_id IN (SELECT value FROM json_each(?)) \
             AND call_id NOT IN (SELECT call_id FROM recordings)",
        )
        .bind(&[calls])?;
    database.batch(vec![rows, transcripts]).await?;
    Ok(due.len())
}

async fn abort_uploads(env: &Env, database: &D1Database, before_ms: u64) -> Result<usize, ApiError> {
    let stale: Vec<Stale> = database
        .prepare(
            "SELECT upload_id, object_key, r2_upload_id, EXISTS (SELECT 1 FROM recordings \
             WHERE recordings.call_id = uploads.call_id AND recordings.object_key = uploads.object_key) AS kept \
             FROM uploads WHERE begun_at_ms <= ? LIMIT ?",
        )
        .bind(&[(before_ms as f64).into(), STEP.into()])?
        .all()
        .await?
        .results()?;
    if stale.is_empty() {
        return Ok(0);
    }
    let bucket = env.bucket("RECORDINGS")?;
    for upload in &stale {
        // R2 may have forgotten it by itself.
        let _ = bucket.resume_multipart_upload(&upload.object_key, &upload.r2_upload_id)?.abort().await;
    }
    // Parts may have become an object that nobody checked.
    let unchecked: Vec<&str> = stale.iter().filter(|it| it.kept == 0).map(|it| it.object_key.as_str()).collect();
    if !unchecked.is_empty() {
        bucket.delete_multiple(unchecked).await?;
    }
    let ids = ids(stale.iter().map(|upload| upload.upload_id.as_str()))?;
    let parts = database.prepare("DELETE FROM upload_parts WHERE upload_id IN (SELECT value FROM json_each(?))");
    let rows = database.prepare("DELETE FROM uploads WHERE upload_id IN (SELECT value FROM json_each(?))");
    database.batch(vec![parts.bind(slice::from_ref(&ids))?, rows.bind(slice::from_ref(&ids))?]).await?;
    Ok(stale.len())
}

async fn forget_jobs(database: &D1Database, before_ms: u64) -> Result<usize, ApiError> {
    let statement = database.prepare(
        "DELETE FROM done_jobs WHERE job_id IN (SELECT job_id FROM done_jobs WHERE done_at_ms <= ? LIMIT ?) RETURNING job_id",
    );
    let forgotten = statement.bind(&[(before_ms as f64).into(), STEP.into()])?.all().await?;
    Ok(forgotten.results::<serde_json::Value>()?.len())
}

async fn forget_failed_jobs(database: &D1Database, before_ms: u64) -> Result<usize, ApiError> {
    let statement = database.prepare(
        "DELETE FROM failed_jobs WHERE job_id IN (SELECT job_id FROM failed_jobs WHERE failed_at_ms <= ? LIMIT ?) RETURNING job_id",
    );
    let forgotten = statement.bind(&[(before_ms as f64).into(), STEP.into()])?.all().await?;
    Ok(forgotten.results::<serde_json::Value>()?.len())
}

/// Any number of ids as one bound value: a statement takes a hundred at most.
fn ids<'a>(ids: impl Iterator<Item = &'a str>) -> Result<JsValue, ApiError> {
    let ids: Vec<&str> = ids.collect();
    Ok(serde_json::to_string(&ids).map_err(|e| ApiError::internal(e.to_string()))?.into())
}
