//! Connections to the provider, ready before the first turn of a call needs them: TCP and TLS take longer than a word.
//! The pool keeps what was opened; how requests are made is the other files' matter.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_openai::config::Config;
use tokio::time::Instant;

use super::Shared;

/// A pool that was warmed within this time is warm; shorter than it keeps idle connections.
const STAYS_WARM: Duration = Duration::from_secs(45);

/// Connections a turn needs at once: a sentence is synthesised while the answer still comes.
const CONNECTIONS: usize = 2;

/// When the pool was warmed last.
#[derive(Debug, Default)]
pub(super) struct Warmth(Mutex<Option<Instant>>);

// === impl Warmth ===

impl Warmth {
    /// True if the pool has gone cold; it counts as warm from now on.
    pub(super) fn is_due(&self) -> bool {
        let now = Instant::now();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.duration_since(last) >= STAYS_WARM);
        if due {
            *last = Some(now);
        }
        due
    }
}

// === impl Shared ===

impl Shared {
    /// Asks for the list of models, which costs nothing, on as many connections as a turn needs. What comes back does
    /// not matter, an error neither: the turn itself will meet and name it.
    pub(super) async fn warm_up(self: Arc<Self>) {
        let ask = || async {
            let request = self.service.http().get(self.endpoint.url("/models")).headers(self.endpoint.headers());
            if let Ok(response) = request.timeout(self.config.timeouts.connect).send().await {
                // Read to its end, so that the connection goes back to the pool.
                let _ = response.bytes().await;
            }
        };
        futures::future::join_all((0..CONNECTIONS).map(|_| ask())).await;
    }
}
