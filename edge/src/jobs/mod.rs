//! Work after the answer: webhooks, transcription, clean-up; retried, and kept when it fails for good.
//! What a job does to a call is in its own file.

mod consumer;
pub mod cron;
mod failed;
mod form;
mod ledger;
mod retry;
mod settings;
mod transcription;
mod webhook;
pub mod webhook_url;

pub use consumer::consume;

use futures::FutureExt;
use serde::{Deserialize, Serialize};
use worker::Env;

use crate::http::routes::RouteId;
use crate::http::{Answer, ApiError, Call};
use crate::{id, patience};

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
    /// Tell a call's object that its recording is in R2: it did not answer at once.
    RecordingStored { call_id: String },
    /// Go on with a clean-up that reached its bound.
    CleanUp,
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Another try may mend it.
    Retry(String),
    /// No other try will: to the failed list at once.
    GiveUp(String),
}

// === impl Job ===

impl Job {
    pub fn new(account_id: &str, kind: JobKind) -> Self {
        Self { job_id: id::random("job"), account_id: account_id.to_owned(), kind }
    }
}

// === impl JobKind ===

impl JobKind {
    /// As on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Transcribe { .. } => "transcribe",
            Self::RecordingStored { .. } => "recording_stored",
            Self::CleanUp => "clean_up",
        }
    }
}

// === impl Outcome ===

impl From<ApiError> for Outcome {
    fn from(error: ApiError) -> Self {
        Self::Retry(format!("{}: {}", error.code, error.message))
    }
}

impl From<worker::Error> for Outcome {
    fn from(error: worker::Error) -> Self {
        Self::Retry(error.to_string())
    }
}

/// Puts work into the queue.
///
/// # Errors
/// If the queue does not take it.
pub async fn enqueue(env: &Env, job: Job) -> Result<(), ApiError> {
    // As text: values of any shape come out as they went in.
    let text = serde_json::to_string(&job).map_err(|e| ApiError::internal(e.to_string()))?;
    let queue = env.queue("JOBS")?;
    Ok(patience::within(patience::BINDING, "the queue", queue.send(text).boxed_local()).await??)
}

pub async fn serve(id: RouteId, call: Call) -> Answer {
    match id {
        RouteId::Webhook => settings::read(&call).await,
        RouteId::WebhookChange => settings::change(&call).await,
        RouteId::WebhookDelete => settings::delete(&call).await,
        RouteId::AdminFailedJobs => failed::list(&call).await,
        RouteId::AdminReplayJob => failed::replay(&call).await,
        RouteId::AdminCron => cron::start(&call).await,
        _ => Err(ApiError::not_found("there is nothing here")),
    }
}
