//! The exact sliding window: in no stretch of `window_ms` do more than `limit` requests pass.
//! Where passes are kept is the object's.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// What one request is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub allowed: bool,
    /// How many more would pass at this moment.
    pub remaining: u32,
    /// Milliseconds since the Unix epoch: when one more passes than now.
    pub reset_at_ms: u64,
}

/// The passes of one address or account that still count, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    passes: VecDeque<u64>,
    /// The latest moment it was asked about.
    latest_ms: u64,
}

// === impl Window ===

impl Window {
    /// From the times of passes, in ms since the Unix epoch, in any order.
    pub fn restore(passes: impl IntoIterator<Item = u64>) -> Self {
        let mut passes: Vec<u64> = passes.into_iter().collect();
        passes.sort_unstable();
        Self { latest_ms: passes.last().copied().unwrap_or_default(), passes: passes.into() }
    }

    /// Lets a request pass and counts it, or refuses it and does not.
    /// A pass at `t` counts in `t..t + window_ms`. A clock that went back stands still until it has caught up.
    pub fn check(&mut self, limit: u32, window_ms: u64, now_ms: u64) -> Verdict {
        let now_ms = now_ms.max(self.latest_ms);
        self.latest_ms = now_ms;
        while self.passes.front().is_some_and(|first| first.saturating_add(window_ms) <= now_ms) {
            self.passes.pop_front();
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if self.passes.len() < limit {
            self.passes.push_back(now_ms);
            let remaining = u32::try_from(limit - self.passes.len()).unwrap_or(u32::MAX);
            let oldest = self.passes.front().copied().unwrap_or(now_ms);
            return Verdict { allowed: true, remaining, reset_at_ms: oldest.saturating_add(window_ms) };
        }
        // The pass that has to leave first: the oldest, or a later one if the limit was lowered meanwhile.
        let leaving = self.passes.get(self.passes.len() - limit).copied().unwrap_or(now_ms);
        Verdict { allowed: false, remaining: 0, reset_at_ms: leaving.saturating_add(window_ms) }
    }

    /// When the last request passed, as it was counted.
    pub fn last_pass(&self) -> Option<u64> {
        self.passes.back().copied()
    }
}

#[cfg(test)]
mod tests;
