//! How the edge fares: health of every binding, metrics, data points, critical errors.
//! Nothing here decides over a call.

use crate::http::routes::RouteId;
use crate::http::{Answer, ApiError, Call, ok};

pub async fn serve(id: RouteId, _call: Call) -> Answer {
    match id {
        RouteId::Health => ok(&serde_json::json!({ "status": "ok" })),
        _ => Err(ApiError::not_found("not built yet")),
    }
}
