//! What the queues hand over: work, and work that failed too often.
//! Every message is answered for itself: done, again later, or on the failed list.

use futures::future::join_all;
use worker::{Env, MessageBatch, MessageExt, QueueRetryOptionsBuilder, RawMessage};

use super::ledger::{self, Claim};
use super::{Job, JobKind, Outcome, cron, failed, retry, transcription, webhook};
use crate::clock;
use crate::http::ApiError;
use crate::{observe, recordings};

/// Seconds until a job is looked at again that somebody else is doing, or whose books could not be read. With the
/// queue's retries that is longer than the ledger's lease: a try cut short by a crash does not use them up.
const LATER_S: u32 = 30;

/// Works on what a queue hands over: the queue whose name ends in `-dead`, or the other.
///
/// # Errors
/// Never: each message is answered for itself.
pub async fn consume(batch: MessageBatch<Job>, env: Env) -> worker::Result<()> {
    let dead = batch.queue().ends_with("-dead");
    let messages = batch.raw_iter().map(async |message| {
        let answered = if dead { bury(&env, &message).await } else { work(&env, &message).await };
        if let Err(error) = answered {
            observe::log("error", "a job's books could not be kept", &[("error", &error.message)]);
            again(&message, delay(&env, LATER_S));
        }
    });
    join_all(messages).await;
    Ok(())
}

async fn work(env: &Env, message: &RawMessage) -> Result<(), ApiError> {
    let text = text(message);
    let Ok(job) = serde_json::from_str::<Job>(&text) else {
        failed::keep_unreadable(env, &message.id(), &text).await?;
        message.ack();
        return Ok(());
    };
    let tries = match ledger::claim(env, &job.job_id, clock::now_ms()).await? {
        Claim::Done => {
            message.ack();
            return Ok(());
        }
        Claim::Busy => {
            again(message, delay(env, LATER_S));
            return Ok(());
        }
        Claim::Granted { tries } => tries,
    };
    match run(env, &job).await {
        Outcome::Done => {
            ledger::done(env, &job.job_id, clock::now_ms()).await?;
            message.ack();
        }
        Outcome::Retry(error) => {
            ledger::failed(env, &job.job_id, &error).await?;
            again(message, retry::delay_s(base_s(env), tries));
        }
        Outcome::GiveUp(error) => {
            failed::keep(env, &job, &error).await?;
            observe::log(
                "warning",
                "a job was refused",
                &[("job_id", &job.job_id), ("kind", job.kind.name()), ("error", &error)],
            );
            message.ack();
        }
    }
    Ok(())
}

async fn run(env: &Env, job: &Job) -> Outcome {
    let now_ms = clock::now_ms();
    match &job.kind {
        JobKind::Webhook { event, payload } => webhook::deliver(env, job, event, payload, now_ms).await,
        JobKind::Transcribe { call_id } => transcription::transcribe(env, call_id, now_ms).await,
        JobKind::RecordingStored { call_id } => recording_stored(env, call_id, now_ms).await,
        JobKind::CleanUp => cron::clean_up(env, now_ms).await.map_or_else(Outcome::from, |_| Outcome::Done),
    }
}

async fn recording_stored(env: &Env, call_id: &str, now_ms: u64) -> Outcome {
    match recordings::recording(env, call_id).await {
        // Deleted in the meantime: nothing to tell.
        Ok(None) => Outcome::Done,
        Ok(Some(recording)) => {
            recordings::announce(env, &recording, now_ms).await.map_or_else(Outcome::from, |()| Outcome::Done)
        }
        Err(error) => error.into(),
    }
}

/// A job that failed as often as the queue tries.
async fn bury(env: &Env, message: &RawMessage) -> Result<(), ApiError> {
    let text = text(message);
    match serde_json::from_str::<Job>(&text) {
        Ok(job) => {
            let error = ledger::last_error(env, &job.job_id).await?;
            match ledger::claim(env, &job.job_id, clock::now_ms()).await? {
                Claim::Granted { .. } => {}
                // It was handed over twice, and the other one made it.
                Claim::Done => {
                    message.ack();
                    return Ok(());
                }
                Claim::Busy => {
                    again(message, delay(env, LATER_S));
                    return Ok(());
                }
            }
            let error = error.unwrap_or_else(|| "every try was cut short".to_owned());
            failed::keep(env, &job, &error).await?;
            let facts = [
                ("job_id", &*job.job_id),
                ("account_id", &job.account_id),
                ("kind", job.kind.name()),
                ("error", &error),
            ];
            observe::alert(env, "a job failed for good", &facts).await;
        }
        Err(_) => failed::keep_unreadable(env, &message.id(), &text).await?,
    }
    message.ack();
    Ok(())
}

fn text(message: &RawMessage) -> String {
    let body = message.body();
    body.as_string()
        .or_else(|| worker::js_sys::JSON::stringify(&body).ok().and_then(|text| text.as_string()))
        .unwrap_or_default()
}

fn again(message: &RawMessage, delay_s: u32) {
    message.retry_with_options(&QueueRetryOptionsBuilder::new().with_delay_seconds(delay_s).build());
}

fn base_s(env: &Env) -> u32 {
    env.var("RETRY_BASE_S").ok().and_then(|base| base.to_string().parse().ok()).unwrap_or(retry::BASE_S)
}

/// A delay that is shorter where retries are.
fn delay(env: &Env, delay_s: u32) -> u32 {
    delay_s.min(base_s(env))
}
