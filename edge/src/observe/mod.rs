//! How the edge fares: health of every binding, metrics, data points, critical errors.
//! Nothing here decides over a call.

mod alert;
mod analytics;
mod health;
mod log;
pub mod metrics;
mod openapi;
mod point;
mod score;
mod sentry;
mod timings;

pub use alert::alert;
pub use analytics::{call_ended, request_served};
pub use log::log;
pub use point::{CallPoint, RequestPoint};
pub use timings::Timings;

use crate::http::routes::RouteId;
use crate::http::{Answer, ApiError, Call};

pub async fn serve(id: RouteId, call: Call) -> Answer {
    match id {
        RouteId::Health => health::serve(&call).await,
        RouteId::Metrics => metrics::serve(&call).await,
        RouteId::OpenApi => openapi::serve(),
        _ => Err(ApiError::not_found("there is nothing here")),
    }
}
