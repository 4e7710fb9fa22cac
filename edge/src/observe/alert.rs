//! Critical errors, to whoever has to get up: an event in Sentry, where a DSN is set, and always a line in the log.
//! Nothing waits for it longer than its patience, and nothing fails with it.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use worker::{Delay, Env, Fetch, Headers, Method, Request, RequestInit};

use super::log::log;
use super::sentry::{Dsn, Envelope};
use crate::clock;

const PATIENCE: Duration = Duration::from_secs(3);

/// Raises an alert.
pub async fn alert(env: &Env, message: &str, facts: &[(&str, &str)]) {
    log("error", message, facts);
    let Some(dsn) = env.var("SENTRY_DSN").ok().map(|dsn| dsn.to_string()).filter(|dsn| !dsn.is_empty()) else { return };
    let dsn = match Dsn::parse(&dsn) {
        Ok(dsn) => dsn,
        Err(error) => return log("error", &error.to_string(), &[]),
    };
    let environment = env.var("ENVIRONMENT").map(|environment| environment.to_string()).unwrap_or_default();
    let mut id = [0u8; 16];
    let _ = getrandom::getrandom(&mut id);
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let envelope = dsn.envelope(&id, &environment, message, facts, clock::now_ms());
    let failure = match select(send(envelope).boxed_local(), Delay::from(PATIENCE)).await {
        Either::Left((Ok(200..=299), _)) => return,
        Either::Left((Ok(status), _)) => format!("Sentry answered {status}"),
        Either::Left((Err(error), _)) => error.to_string(),
        Either::Right(_) => "Sentry did not answer in time".to_owned(),
    };
    log("error", "an alert did not arrive", &[("error", &failure)]);
}

async fn send(envelope: Envelope) -> worker::Result<u16> {
    let headers = Headers::new();
    headers.set("content-type", "application/x-sentry-envelope")?;
    headers.set("x-sentry-auth", &envelope.auth)?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_headers(headers).with_body(Some(envelope.body.into()));
    let request = Request::new_with_init(&envelope.url, &init)?;
    Ok(Fetch::Request(request).send().await?.status_code())
}
