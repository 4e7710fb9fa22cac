//! Recordings in R2: taken in parts from the engine, given out by signed links, deleted when their time is over.
//! How they are made is the engine's.

use crate::http::routes::RouteId;
use crate::http::{Answer, ApiError, Call};

pub async fn serve(_id: RouteId, _call: Call) -> Answer {
    Err(ApiError::not_found("not built yet"))
}
