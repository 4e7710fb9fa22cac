//! Data points and the line in the log for every request and call.
//! Failing to write one is nobody's problem but the statistics'.

use worker::{AnalyticsEngineDataPointBuilder, BlobType, Context, Env};

use super::alert::alert;
use super::log::log;
use super::point::{CallPoint, Columns, RequestPoint};
use super::timings::Timings;

/// A request was answered: one data point, one line in the log and, if it was our fault, one alert.
/// Called once, at the very end of `http::dispatch::serve`, when the response is known.
pub fn request_served(env: &Env, context: &Context, mut point: RequestPoint, timings: &Timings) {
    point.duration_ms = timings.total_ms();
    if let Some((step, ms)) = timings.bottleneck() {
        point.bottleneck = (step.to_owned(), ms);
    }
    write(env, &point.columns());
    let level = if point.status >= 500 { "error" } else { "info" };
    if level == "error" || !is_quiet(env) {
        tell(level, &point, timings);
    }
    // A 503 tells of something away and asks to come again; a 500 is a fault to be mended.
    if point.status == 500 {
        let env = env.clone();
        context.wait_until(async move {
            let facts = [
                ("request_id", point.request_id.as_str()),
                ("method", &point.method),
                ("endpoint", &point.endpoint),
                ("account_id", &point.account_id),
                ("call_id", &point.call_id),
            ];
            alert(&env, "a request was answered 500", &facts).await;
        });
    }
}

/// Where `LOG_LEVEL` is `warning`, as in dev, requests that went well leave no line.
fn is_quiet(env: &Env) -> bool {
    env.var("LOG_LEVEL").is_ok_and(|level| level.to_string() == "warning")
}

fn tell(level: &str, point: &RequestPoint, timings: &Timings) {
    let (status, duration) = (point.status.to_string(), point.duration_ms.to_string());
    let steps: Vec<String> = timings.steps().iter().map(|(name, ms)| format!("{name}={ms}")).collect();
    log(
        level,
        "request",
        &[
            ("request_id", &point.request_id),
            ("call_id", &point.call_id),
            ("account_id", &point.account_id),
            ("method", &point.method),
            ("endpoint", &point.endpoint),
            ("status", &status),
            ("duration_ms", &duration),
            ("bottleneck", &point.bottleneck.0),
            ("steps", &steps.join(" ")),
        ],
    );
}

/// A call ended and was settled: one data point.
pub fn call_ended(env: &Env, point: &CallPoint) {
    write(env, &point.columns());
}

fn write(env: &Env, columns: &Columns) {
    let blobs: Vec<BlobType> = columns.blobs.iter().map(|blob| blob.as_str().into()).collect();
    let point = AnalyticsEngineDataPointBuilder::new()
        .indexes([columns.index.as_str()])
        .blobs(blobs)
        .doubles(columns.doubles.iter().copied())
        .build();
    if let Ok(dataset) = env.analytics_engine("ANALYTICS") {
        let _ = dataset.write_data_point(&point);
    }
}
