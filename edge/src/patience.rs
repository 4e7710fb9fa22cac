//! Nobody is waited for without end: what is asked outside of this isolate answers in time, or counts as not answered.
//! What that means is for whoever asked to say.

use std::time::Duration;

use futures::future::{Either, LocalBoxFuture, select};
use worker::Delay;

use crate::http::ApiError;

/// How long a binding, such as the database or a queue, may take.
pub const BINDING: Duration = Duration::from_secs(10);

/// Waits for the answer of `what`.
///
/// # Errors
/// 503 if it does not come in time. What was asked may be done all the same.
pub async fn within<T>(wait: Duration, what: &str, answer: LocalBoxFuture<'_, T>) -> Result<T, ApiError> {
    match select(answer, Delay::from(wait)).await {
        Either::Left((answer, _)) => Ok(answer),
        Either::Right(_) => Err(ApiError::unavailable(format!("{what}: no answer in time"))),
    }
}
