//! What a request that cannot be served is told: a status, a code to program against, a line for a person.
//! Nothing of the inside is told; that goes to the log.

use serde::{Deserialize, Serialize};
use worker::Response;

use crate::limits::Quota;

/// A request refused. On the wire `{"error":{"code","message"}}`, with `remaining` and `reset_at_ms` after a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Stable, in snake case.
    pub code: String,
    pub message: String,
    /// Further headers, such as `Retry-After`.
    pub headers: Vec<(&'static str, String)>,
    /// What the limit that refused it leaves.
    pub quota: Option<Quota>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    error: Detail,
}

#[derive(Serialize, Deserialize)]
struct Detail {
    code: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remaining: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reset_at_ms: Option<u64>,
}

// === impl ApiError ===

impl ApiError {
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), headers: Vec::new(), quota: None }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "bad_request", message)
    }

    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, "unauthorized", message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "forbidden", message)
    }

    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(404, "not_found", what)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "conflict", message)
    }

    /// Something another try may mend.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "unavailable", message).with_header("retry-after", "1")
    }

    /// A fault of ours. `detail` is logged, not told.
    pub fn internal(detail: impl AsRef<str>) -> Self {
        worker::console_error!("{}", detail.as_ref());
        Self::new(500, "internal", "something went wrong on our side")
    }

    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    #[must_use]
    pub fn with_quota(mut self, quota: Quota) -> Self {
        self.quota = Some(quota);
        self
    }

    /// What an object answered, given on.
    pub fn from_body(status: u16, text: &str) -> Self {
        match serde_json::from_str::<Body>(text) {
            Ok(Body { error }) => Self::new(status, &error.code, error.message),
            Err(_) => Self::internal(format!("an object answered {status}: {text}")),
        }
    }

    /// # Errors
    /// Only if no response can be made at all.
    pub fn to_response(&self) -> worker::Result<Response> {
        let detail = Detail {
            code: self.code.clone(),
            message: self.message.clone(),
            remaining: self.quota.map(|quota| quota.remaining),
            reset_at_ms: self.quota.map(|quota| quota.reset_at_ms),
        };
        let body = Body { error: detail };
        let mut response = Response::from_json(&body)?.with_status(self.status);
        for (name, value) in &self.headers {
            response.headers_mut().set(name, value)?;
        }
        Ok(response)
    }
}

impl From<worker::Error> for ApiError {
    fn from(error: worker::Error) -> Self {
        Self::internal(error.to_string())
    }
}
