//! Work after the answer: webhooks, transcription, clean-up; retried, and kept when it fails for good.
//! What a job does to a call is in its own file.

pub mod cron;

use serde::{Deserialize, Serialize};
use worker::{Env, MessageBatch};

use crate::http::routes::RouteId;
use crate::http::{Answer, ApiError, Call};

/// One piece of work in the queue. The id makes doing it twice harmless.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub job_id: String,
    pub account_id: String,
    #[serde(flatten)]
    pub kind: JobKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobKind {
    /// Tell the customer's server about an event of theirs: `call.ended`, `recording.ready`.
    Webhook { event: String, payload: serde_json::Value },
    /// Transcribe a recording.
    Transcribe { call_id: String },
}

/// Works on what the queue hands over.
///
/// # Errors
/// If the batch cannot be read; it comes again.
pub async fn consume(_batch: MessageBatch<Job>, _env: Env) -> worker::Result<()> {
    Ok(())
}

/// Puts work into the queue.
///
/// # Errors
/// If the queue does not take it.
pub async fn enqueue(env: &Env, job: Job) -> Result<(), ApiError> {
    Ok(env.queue("JOBS")?.send(job).await?)
}

pub async fn serve(_id: RouteId, _call: Call) -> Answer {
    Err(ApiError::not_found("not built yet"))
}
