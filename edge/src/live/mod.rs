//! The live feed of an account: what its dashboards see as it happens.
//! Facts come from `calls`, `nodes` and `accounts`.

mod object;

use crate::http::{Answer, ApiError, Call};

pub async fn serve(_call: Call) -> Answer {
    Err(ApiError::not_found("not built yet"))
}
