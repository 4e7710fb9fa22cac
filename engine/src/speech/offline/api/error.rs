//! Errors as OpenAI's API answers them: `{"error": {"message", "type", "param", "code"}}`.
//! What can go wrong inside is in the modules that did.

use axum::Json;
use axum::extract::multipart::MultipartError;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::speech::offline::ears::EarsError;
use crate::speech::offline::flite::FliteError;

/// An answer other than 200.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    message: String,
    /// The field of the request that is wrong.
    param: Option<&'static str>,
}

impl ApiError {
    pub fn invalid(param: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into(), param: Some(param) }
    }

    pub fn not_found(message: String) -> Self {
        Self { status: StatusCode::NOT_FOUND, message, param: None }
    }

    pub fn method_not_allowed(message: String) -> Self {
        Self { status: StatusCode::METHOD_NOT_ALLOWED, message, param: None }
    }

    fn busy(message: String) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, message, param: None }
    }

    fn internal(message: String) -> Self {
        tracing::error!(message, "offline speech failed");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message, param: None }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let kind = if self.status.is_server_error() { "server_error" } else { "invalid_request_error" };
        let error = json!({ "message": self.message, "type": kind, "param": self.param, "code": null });
        let mut response = (self.status, Json(json!({ "error": error }))).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let status = match rejection.status() {
            // A field of the wrong type is 422 to axum and 400 to OpenAI.
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        Self { status, message: rejection.body_text(), param: None }
    }
}

impl From<MultipartError> for ApiError {
    fn from(error: MultipartError) -> Self {
        Self { status: error.status(), message: error.body_text(), param: None }
    }
}

impl From<EarsError> for ApiError {
    fn from(error: EarsError) -> Self {
        match error {
            EarsError::Busy(_) => Self::busy(error.to_string()),
            error => Self::internal(error.to_string()),
        }
    }
}

impl From<FliteError> for ApiError {
    fn from(error: FliteError) -> Self {
        match error {
            FliteError::Busy => Self::busy(error.to_string()),
            error => Self::internal(error.to_string()),
        }
    }
}
