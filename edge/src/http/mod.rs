//! The way of a request: limits, the route table, credentials, its feature, and headers on the way out.
//! What is answered is decided in the features.

mod body;
mod dispatch;
mod error;
pub mod headers;
mod room;
pub mod routes;

pub use dispatch::serve;
pub use error::ApiError;

use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::{Context, Env, Request, Response};

use crate::auth::Caller;
use crate::observe::Timings;
use routes::Params;

/// A request that was let in, with everything a feature needs to answer it.
pub struct Call {
    pub env: Env,
    pub context: Rc<Context>,
    /// The request itself, to be handed to an object (WebSocket upgrades); its body has been read.
    pub request: Request,
    pub params: Params,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub caller: Caller,
    /// Where the request comes from; `local` on a machine without a proxy.
    pub address: String,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// For steps that may take long: `call.timings.step("database", …)`.
    pub timings: Timings,
}

/// What a feature answers.
pub type Answer = Result<Response, ApiError>;

// === impl Call ===

impl Call {
    /// The body as JSON.
    ///
    /// # Errors
    /// 400 naming what is wrong with it.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(|e| ApiError::bad_request(e.to_string()))
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.request.headers().get(name).ok().flatten()
    }

    /// The account the caller acts for.
    ///
    /// # Errors
    /// 403 if the caller has none.
    pub fn account_id(&self) -> Result<&str, ApiError> {
        self.caller.account_id().ok_or_else(|| ApiError::forbidden("no account: sign up first"))
    }
}

/// 200 with JSON.
///
/// # Errors
/// 500 if it cannot be serialised.
pub fn ok<T: Serialize>(body: &T) -> Answer {
    Ok(Response::from_json(body)?)
}
