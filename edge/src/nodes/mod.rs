//! Engine nodes: registry, link, weighted routing between two versions.
//! Calls are not looked at here.

mod object;

use crate::http::routes::RouteId;
use crate::http::{Answer, ApiError, Call};

pub async fn serve(_id: RouteId, _call: Call) -> Answer {
    Err(ApiError::not_found("not built yet"))
}
