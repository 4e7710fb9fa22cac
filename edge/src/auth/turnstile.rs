//! Whether a person and no program fills in a form: Cloudflare Turnstile's siteverify, asked where it is configured.
//! Which forms ask is their features'.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use serde::Deserialize;
use worker::{Delay, Env, Fetch, Headers, Method, Request, RequestInit, Url};

use super::settings;
use crate::http::ApiError;

const SITEVERIFY: &str = "https://challenges.cloudflare.com/turnstile/v0/siteverify";
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Longest token Turnstile makes, bytes.
const MAX_TOKEN_BYTES: usize = 2048;
/// Longest answer read, bytes.
const MAX_ANSWER: usize = 16 * 1024;

/// Siteverify's answer.
#[derive(Debug, Deserialize)]
struct Verification {
    success: bool,
    #[serde(default, rename = "error-codes")]
    error_codes: Vec<String>,
}

/// Checks the token a form came with. Without `TURNSTILE_SECRET` nothing is asked and everybody passes.
///
/// # Errors
/// 403 for a token that is missing, wrong, old or used; 503 if nobody can tell.
pub async fn verify(env: &Env, token: Option<&str>, address: &str) -> Result<(), ApiError> {
    let Some(secret) = settings::text(env, "TURNSTILE_SECRET") else { return Ok(()) };
    let token = token.filter(|token| (1..=MAX_TOKEN_BYTES).contains(&token.len()));
    let token = token.ok_or_else(|| refused("the Turnstile token is missing"))?;
    let url = settings::text(env, "TURNSTILE_URL").unwrap_or_else(|| SITEVERIFY.to_owned());
    let verification = ask(&url, &secret, token, address).await.map_err(|error| {
        worker::console_error!("Turnstile: {error}");
        ApiError::unavailable("whether you are a person cannot be told now")
    })?;
    if verification.success {
        return Ok(());
    }
    if verification.error_codes.iter().any(|code| is_ours(code)) {
        worker::console_error!("Turnstile: {:?}", verification.error_codes);
        return Err(ApiError::unavailable("whether you are a person cannot be told now"));
    }
    Err(refused("Turnstile takes you for a program: try again"))
}

fn refused(message: &str) -> ApiError {
    ApiError::new(403, "turnstile_failed", message)
}

/// Errors that are not the visitor's.
fn is_ours(code: &str) -> bool {
    matches!(code, "missing-input-secret" | "invalid-input-secret" | "bad-request" | "internal-error")
}

async fn ask(url: &str, secret: &str, token: &str, address: &str) -> Result<Verification, String> {
    // The service counts on an address, where there is one.
    let form = Url::parse_with_params(
        "https://form",
        [("secret", secret), ("response", token)]
            .into_iter()
            .chain(address.contains(['.', ':']).then_some(("remoteip", address))),
    )
    .map_err(|error| error.to_string())?;
    let headers = Headers::new();
    let mut init = RequestInit::new();
    headers.set("content-type", "application/x-www-form-urlencoded").map_err(|error| error.to_string())?;
    init.with_method(Method::Post).with_headers(headers).with_body(form.query().map(Into::into));
    let request = Request::new_with_init(url, &init).map_err(|error| error.to_string())?;
    let answer = async {
        let mut response = Fetch::Request(request).send().await?;
        Ok::<_, worker::Error>((response.status_code(), response.bytes().await?))
    };
    let (status, body) = match select(answer.boxed_local(), Delay::from(PATIENCE)).await {
        Either::Left((answer, _)) => answer.map_err(|error| error.to_string())?,
        Either::Right(_) => return Err("no answer in time".to_owned()),
    };
    if body.len() > MAX_ANSWER {
        return Err(format!("an answer of {} bytes", body.len()));
    }
    serde_json::from_slice(&body).map_err(|error| format!("answered {status}: {error}"))
}
