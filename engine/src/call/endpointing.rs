//! How much silence ends the caller's turn: less after a finished sentence, more in the middle of one.
//! Whether a sentence is finished is told by `completeness`; counting the silence is the listener's work.

use std::time::Duration;

use super::completeness::Completeness;

/// Silence that ends a turn, from the last voiced packet on. `finished <= unknown <= unfinished`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpointing {
    /// After a finished sentence or the kind of answer the agent asked for. The only wait there is where nothing is
    /// transcribed ahead of the turn's end.
    pub finished: Duration,
    /// While the words so far tell nothing, or are not known yet.
    pub unknown: Duration,
    /// In the middle of a sentence.
    pub unfinished: Duration,
}

// === impl Endpointing ===

impl Endpointing {
    /// The waits that go with `finished`.
    pub const fn after(finished: Duration) -> Self {
        let ms = finished.as_millis() as u64;
        Self { finished, unknown: Duration::from_millis(ms * 7 / 5), unfinished: Duration::from_millis(ms * 7 / 3) }
    }

    pub fn wait(&self, so_far: Completeness) -> Duration {
        match so_far {
            Completeness::Finished => self.finished,
            Completeness::Open => self.unknown,
            Completeness::Unfinished => self.unfinished,
        }
    }
}
