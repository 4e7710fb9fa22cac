//! Accounts, people, business profiles, numbers, keys, credits, and whether a call may start.
//! Who the caller is was settled in `auth`.

mod object;

use crate::http::routes::RouteId;
use crate::http::{Answer, ApiError, Call};

pub async fn serve(_id: RouteId, _call: Call) -> Answer {
    Err(ApiError::not_found("not built yet"))
}
