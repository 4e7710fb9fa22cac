//! Calls: their facts from the engine, their state, their sockets for clients without a phone.
//! Audio passes through here only for `/ws/call-session`; it is worked on by an engine node.

mod object;

use crate::http::routes::RouteId;
use crate::http::{Answer, ApiError, Call};

pub async fn serve(_id: RouteId, _call: Call) -> Answer {
    Err(ApiError::not_found("not built yet"))
}
