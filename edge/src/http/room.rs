//! How much memory large bodies may take together before it is known who sends them: an isolate has 128 MiB for all.
//! Reading them is `body`'s.

use std::collections::BTreeMap;

/// Most they may take, bytes: nine parts of recordings.
pub const MOST: usize = 45 * 1024 * 1024;
/// Longer than any request may take, ms. A request whose client went away may end without giving back what it took.
const LIFE_MS: u64 = 100_000;

/// What each body has taken.
#[derive(Debug, Default)]
pub struct Room {
    last: u64,
    bodies: BTreeMap<u64, Taken>,
}

#[derive(Debug)]
struct Taken {
    since_ms: u64,
    bytes: usize,
}

// === impl Room ===

impl Room {
    pub const fn new() -> Self {
        Self { last: 0, bodies: BTreeMap::new() }
    }

    /// A body is to come; its number.
    pub fn enter(&mut self, now_ms: u64) -> u64 {
        self.bodies.retain(|_, taken| now_ms.saturating_sub(taken.since_ms) < LIFE_MS);
        self.last = self.last.wrapping_add(1);
        self.bodies.insert(self.last, Taken { since_ms: now_ms, bytes: 0 });
        self.last
    }

    /// Takes so many bytes more, if there is room for them.
    pub fn take(&mut self, body: u64, bytes: usize) -> bool {
        let all: usize = self.bodies.values().map(|taken| taken.bytes).sum();
        match self.bodies.get_mut(&body) {
            Some(taken) if all.saturating_add(bytes) <= MOST => {
                taken.bytes += bytes;
                true
            }
            _ => false,
        }
    }

    /// Gives back all that a body took.
    pub fn leave(&mut self, body: u64) {
        self.bodies.remove(&body);
    }
}

#[cfg(test)]
mod tests;
