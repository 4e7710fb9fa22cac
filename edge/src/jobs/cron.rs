//! What is done by the clock.
//! Each is idempotent and can be started by an admin too: `POST /v1/admin/cron/{name}`.

use worker::Env;

use super::{Job, JobKind, enqueue};
use crate::clock;
use crate::http::{Answer, ApiError, Call, ok};
use crate::observe;
use crate::recordings::retention::{self, CleanUp};

/// Runs what is due at `cron` (`0 2 * * *`: clean-up).
pub async fn run(cron: &str, env: &Env) {
    let outcome = match cron {
        "0 2 * * *" => clean_up(env, clock::now_ms()).await.map(|_| ()),
        other => Err(ApiError::not_found(format!("nothing is due at {other}"))),
    };
    if let Err(error) = outcome {
        observe::alert(env, "a scheduled run failed", &[("cron", cron), ("error", &error.message)]).await;
    }
}

/// `POST /v1/admin/cron/{name}`.
///
/// # Errors
/// 404 for a name nothing has.
pub async fn start(call: &Call) -> Answer {
    match call.params.get("name") {
        "cleanup" => ok(&clean_up(&call.env, call.now_ms).await?),
        name => Err(ApiError::not_found(format!("there is no scheduled run {name:?}"))),
    }
}

/// Deletes what is due; what is left when the run reached its bound is left to a job.
///
/// # Errors
/// If R2, the database or the queue does not answer.
pub async fn clean_up(env: &Env, now_ms: u64) -> Result<CleanUp, ApiError> {
    let done = retention::clean_up(env, now_ms).await?;
    if done.more {
        enqueue(env, Job::new("", JobKind::CleanUp)).await?;
    }
    Ok(done)
}
