//! A timer for a loop that hears other things too: waited for again and again, made once.
//! What happens when it rings is the loop's.

use std::time::Duration;

use futures::FutureExt;
use worker::Delay;

use crate::clock;

/// A timer that is made anew only when it must be earlier, or has rung.
#[derive(Default)]
pub struct Tick {
    timer: Option<(u64, Delay)>,
}

// === impl Tick ===

impl Tick {
    /// Rings at `at_ms` or before.
    pub async fn at(&mut self, at_ms: u64) {
        let now_ms = clock::now_ms();
        if self.timer.as_ref().is_none_or(|(rings_ms, _)| *rings_ms > at_ms) {
            let wait = Duration::from_millis(at_ms.saturating_sub(now_ms).max(1));
            self.timer = Some((at_ms, Delay::from(wait)));
        }
        if let Some((_, timer)) = &mut self.timer {
            // Pinned in the heap: polled again where it was left.
            let mut timer = Box::pin(timer);
            std::future::poll_fn(|context| timer.as_mut().poll_unpin(context)).await;
        }
        self.timer = None;
    }
}
