//! A tool as a webhook: one signed POST, and its answer as the result.
//! Signed as the edge signs its own (`edge_protocol::signature`), so that a receiver needs one check for both.

use std::error::Error;

use edge_protocol::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use serde::Serialize;
use serde_json::Value;

use super::{MAX_RESULT_BYTES, bounded};
use crate::call::ToolSecret;
use crate::wall_clock::unix_ms;

/// Of an answer that is an error, so much is told to the model.
const MAX_ERROR_CHARS: usize = 200;

/// What is asked.
pub struct Request<'a> {
    pub call_id: &'a str,
    pub tool: &'a str,
    /// A JSON object.
    pub arguments: &'a str,
}

#[derive(Serialize)]
struct Body<'a> {
    call_id: &'a str,
    tool: &'a str,
    arguments: Value,
}

/// The answer's body, JSON or text.
///
/// # Errors
/// Why there is none.
pub async fn post(
    http: &reqwest::Client,
    url: &str,
    secret: Option<&ToolSecret>,
    Request { call_id, tool, arguments }: Request<'_>,
) -> Result<String, String> {
    let arguments = serde_json::from_str(arguments).map_err(|error| error.to_string())?;
    let body = serde_json::to_string(&Body { call_id, tool, arguments }).map_err(|error| error.to_string())?;
    let mut request = http
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("Tandem-Webhook/", env!("CARGO_PKG_VERSION")));
    if let Some(ToolSecret(secret)) = secret {
        let now_ms = unix_ms();
        request = request
            .header(TIMESTAMP_HEADER, now_ms.to_string())
            .header(SIGNATURE_HEADER, sign(secret.as_bytes(), now_ms, body.as_bytes()));
    }
    let mut response = request.body(body).send().await.map_err(|error| reason(&error))?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_RESULT_BYTES {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    if response.status().is_success() {
        return Ok(bounded(text));
    }
    let text: String = text.chars().take(MAX_ERROR_CHARS).collect();
    Err(format!("the service answered {}: {text}", response.status().as_u16()))
}

/// What is behind an error of reqwest's, whose own words are only "error sending request for url". The URL is nobody's
/// business on the phone.
fn reason(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    format!("the service cannot be reached: {innermost}")
}
