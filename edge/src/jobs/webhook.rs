//! A customer's server is told of an event: one signed POST.
//! Which URL that is, and its secret, is set in `settings`; whether to try again, in `retry`.

use std::time::Duration;

use edge_protocol::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use futures::FutureExt;
use futures::future::{Either, select};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use worker::{AbortController, Delay, Env, Fetch, Headers, Method, Request, RequestInit, RequestRedirect};

use super::{Job, Outcome, retry, webhook_url};
use crate::auth::settings::is_dev;

/// How long the customer's server may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is sent. The id is the same at every try, so that the receiver can tell.
#[derive(Serialize)]
struct Delivery<'a> {
    id: &'a str,
    event: &'a str,
    account_id: &'a str,
    /// When this try was made, milliseconds since the Unix epoch.
    sent_at_ms: u64,
    data: &'a Value,
}

#[derive(Deserialize)]
struct Target {
    webhook_url: Option<String>,
    webhook_secret: Option<String>,
}

/// Sends one event to its account's webhook, if it has one.
pub async fn deliver(env: &Env, job: &Job, event: &str, payload: &Value, now_ms: u64) -> Outcome {
    let target = match target(env, &job.account_id).await {
        Ok(target) => target,
        Err(error) => return error.into(),
    };
    let Some(Target { webhook_url: Some(url), webhook_secret: Some(secret) }) = target else { return Outcome::Done };
    // What was fine when it was set may not be fine any more; outside dev only the public internet is reached.
    if let Err(error) = webhook_url::check(&url, is_dev(env)) {
        return Outcome::GiveUp(error.to_string());
    }
    let delivery = Delivery { id: &job.job_id, event, account_id: &job.account_id, sent_at_ms: now_ms, data: payload };
    let body = match serde_json::to_string(&delivery) {
        Ok(body) => body,
        Err(error) => return Outcome::GiveUp(error.to_string()),
    };
    match post(&url, &secret, body, now_ms).await {
        Ok(Some(status)) => retry::outcome("the webhook", status),
        Ok(None) => Outcome::Retry(format!("the webhook did not answer within {} s", PATIENCE.as_secs())),
        Err(error) => Outcome::Retry(format!("the webhook cannot be reached: {error}")),
    }
}

async fn target(env: &Env, account_id: &str) -> worker::Result<Option<Target>> {
    let statement = env.d1("DB")?.prepare("SELECT webhook_url, webhook_secret FROM accounts WHERE account_id = ?");
    statement.bind(&[account_id.into()])?.first(None).await
}

/// The status, or `None` if none came in time. Redirects are not followed: they could lead anywhere.
async fn post(url: &str, secret: &str, body: String, now_ms: u64) -> worker::Result<Option<u16>> {
    let headers = Headers::new();
    headers.set("content-type", "application/json")?;
    headers.set("user-agent", concat!("Tandem-Webhook/", env!("CARGO_PKG_VERSION")))?;
    headers.set(TIMESTAMP_HEADER, &now_ms.to_string())?;
    headers.set(SIGNATURE_HEADER, &sign(secret.as_bytes(), now_ms, body.as_bytes()))?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_body(Some(body.into()))
        .with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(url, &init)?;
    let abort = AbortController::default();
    let fetch = Fetch::Request(request);
    let signal = abort.signal();
    let answer = fetch.send_with_signal(&signal).boxed_local();
    match select(answer, Delay::from(PATIENCE)).await {
        Either::Left((answer, _)) => Ok(Some(answer?.status_code())),
        Either::Right(_) => {
            abort.abort();
            Ok(None)
        }
    }
}
