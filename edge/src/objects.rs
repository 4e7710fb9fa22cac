//! How the Worker and its Durable Objects talk to each other: `POST https://object/<verb>`, JSON both ways.
//! Every question has a timeout, because an object that panics never answers.

use std::time::Duration;

use futures::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::{Env, Method, Request, RequestInit, Response, Stub};

use crate::http::ApiError;
use crate::patience;

/// How long an object may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the object `name` of the namespace bound as `binding`.
///
/// # Errors
/// What the object answered, or that it did not.
pub async fn ask<Q: Serialize, A: DeserializeOwned>(
    env: &Env,
    binding: &str,
    name: &str,
    verb: &str,
    question: &Q,
) -> Result<A, ApiError> {
    let stub = env.durable_object(binding)?.get_by_name(name)?;
    ask_stub(&stub, verb, question).await
}

/// Asks an object that was found before.
///
/// # Errors
/// What the object answered, or that it did not.
pub async fn ask_stub<Q: Serialize, A: DeserializeOwned>(stub: &Stub, verb: &str, question: &Q) -> Result<A, ApiError> {
    let body = serde_json::to_string(question).map_err(|e| ApiError::internal(format!("{verb}: {e}")))?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(body.into()));
    let request = Request::new_with_init(&format!("https://object/{verb}"), &init)?;
    let answer = async {
        let mut response = stub.fetch_with_request(request).await?;
        let status = response.status_code();
        let text = response.text().await?;
        Ok::<_, worker::Error>((status, text))
    };
    let (status, text) = patience::within(PATIENCE, verb, answer.boxed_local()).await??;
    if (200..300).contains(&status) {
        serde_json::from_str(&text).map_err(|e| ApiError::internal(format!("{verb} answered {text}: {e}")))
    } else {
        Err(ApiError::from_body(status, &text))
    }
}

/// The verb of a question to an object.
pub fn verb(request: &Request) -> String {
    request.path().trim_start_matches('/').to_owned()
}

/// Reads a question.
///
/// # Errors
/// That it is not what was expected.
pub async fn question<Q: DeserializeOwned>(request: &mut Request) -> Result<Q, ApiError> {
    let text = request.text().await?;
    serde_json::from_str(&text).map_err(|e| ApiError::bad_request(e.to_string()))
}

/// An object's answer, whatever became of the question.
///
/// # Errors
/// Only if no response can be made at all.
pub fn answer<A: Serialize>(outcome: Result<A, ApiError>) -> worker::Result<Response> {
    match outcome {
        Ok(answer) => Response::from_json(&answer),
        Err(error) => error.to_response(),
    }
}
