//! A provider that is none: the OpenAI HTTP and Realtime APIs with fixed latencies, for load and failure tests.
//! It understands nothing; a conversation with sense is the engine's offline server.

mod chat;
mod faults;
mod realtime;
mod speech;
mod transcription;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

pub use chat::StubCall;
pub use faults::{Fault, Faults, Stage};

/// A five-minute recording at 48 kHz fits.
const LARGEST_BODY: usize = 32 << 20;

/// How the stub behaves.
#[derive(Debug)]
pub struct Stub {
    /// Request to transcript.
    pub transcription_after: Duration,
    /// Request to first token.
    pub token_after: Duration,
    /// Request to first byte of speech.
    pub speech_after: Duration,
    /// What every transcription says.
    pub transcript: String,
    /// What every answer says; `None` repeats the last line of the user.
    pub reply: Option<String>,
    /// The tool that every line of the user's makes the model call, where the request offers it.
    pub tool: Option<StubCall>,
    pub faults: Option<Faults>,
}

/// Serves until `stop` resolves.
pub async fn serve(
    listener: TcpListener,
    stub: Stub,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let app = Router::new()
        .route("/health", get(async || "ok"))
        .route("/v1/audio/transcriptions", post(transcription::answer))
        .route("/v1/chat/completions", post(chat::answer))
        .route("/v1/audio/speech", post(speech::answer))
        .route("/v1/realtime", get(realtime::connect))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(Arc::new(stub));
    // Without it the kernel holds back small packets, and the latencies are not the ones asked for.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::warn!(%error, "cannot set TCP_NODELAY");
        }
    });
    // Calls that are being answered are not waited for: what they wait for may be our `slow` fault.
    tokio::select! {
        served = axum::serve(listener, app) => served,
        () = stop => Ok(()),
    }
}
