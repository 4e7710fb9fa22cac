//! `GET /v1/openapi.json`: the API in OpenAPI 3.1, kept in `edge/openapi.json`.
//! Tests hold it against the route table and the contract's examples.

use worker::Response;

use crate::http::Answer;

const DOCUMENT: &str = include_str!("../../openapi.json");

/// # Errors
/// Only if no response can be made.
pub fn serve() -> Answer {
    let mut response = Response::ok(DOCUMENT)?;
    response.headers_mut().set("content-type", "application/json")?;
    response.headers_mut().set("cache-control", "public, max-age=300")?;
    Ok(response)
}

#[cfg(test)]
mod tests;
