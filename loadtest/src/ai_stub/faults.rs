//! What goes wrong on demand: slow answers, 500, 429, connections cut in mid-answer.
//! Each stage asks here before it answers.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use clap::ValueEnum;
use futures::{Stream, StreamExt, stream};
use serde_json::json;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// The answer comes, but much too late
    Slow,
    /// Internal server error
    #[value(name = "500")]
    ServerError,
    /// Rate limit reached
    #[value(name = "429")]
    RateLimit,
    /// The connection breaks in the middle of the answer
    Cut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    Stt,
    Chat,
    Tts,
}

/// Which requests go wrong, and how.
#[derive(Debug)]
pub struct Faults {
    fault: Fault,
    stage: Stage,
    every: u64,
    slow: Duration,
    requests: AtomicU64,
}

/// Between the last piece of a cut answer and the cut.
const BEFORE_CUT: Duration = Duration::from_millis(50);

/// What a stage has to do about a request.
#[derive(Debug)]
pub enum Treatment {
    Normal,
    /// Begin the answer and break the connection.
    Cut,
    Refuse(Response),
}

// === impl Faults ===

impl Faults {
    /// Every `every`-th request of `stage` goes wrong, the first one included.
    pub fn new(fault: Fault, stage: Stage, every: u64, slow: Duration) -> Self {
        Self { fault, stage, every: every.max(1), slow, requests: AtomicU64::new(0) }
    }
}

/// Waits as long as the stage takes, or longer, and tells how to answer.
pub async fn treat(faults: Option<&Faults>, stage: Stage, after: Duration) -> Treatment {
    tokio::time::sleep(after).await;
    let Some(faults) = faults.filter(|faults| faults.stage == stage) else { return Treatment::Normal };
    if !faults.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(faults.every) {
        return Treatment::Normal;
    }
    match faults.fault {
        Fault::Slow => {
            tokio::time::sleep(faults.slow).await;
            Treatment::Normal
        }
        Fault::ServerError => Treatment::Refuse(refusal(StatusCode::INTERNAL_SERVER_ERROR, "server_error")),
        Fault::RateLimit => {
            let mut response = refusal(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded");
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            Treatment::Refuse(response)
        }
        Fault::Cut => Treatment::Cut,
    }
}

/// An error as OpenAI words it.
pub fn refusal(status: StatusCode, kind: &str) -> Response {
    let body = json!({"error": {"message": format!("the stub was told to answer {status}"), "type": kind, "code": kind, "param": null}});
    (status, axum::Json(body)).into_response()
}

/// The first `pieces` of an answer, then an error, at which the connection is closed unfinished.
pub fn cut(pieces: impl Stream<Item = Bytes> + Send + 'static, after: usize) -> Body {
    let broken = stream::once(async {
        // The beginning has to be on its way first, or the client sees no answer at all.
        tokio::time::sleep(BEFORE_CUT).await;
        Err(io::Error::other("cut off as the stub was told to"))
    });
    Body::from_stream(pieces.take(after).map(Ok).chain(broken))
}

/// The whole answer, piece by piece.
pub fn whole(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    Body::from_stream(pieces.map(Ok::<_, io::Error>))
}
