//! The signatures that were seen, and which of them are not written down yet. Time is told, nothing is stored here.
//! Where they are written is `replay_guard`'s.

use std::collections::HashMap;

use thiserror::Error;

/// How often the old ones are forgotten, ms.
const SWEEP_MS: u64 = 60_000;

/// Nothing more can be remembered until older signatures expire: forgetting one would let it be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} signatures are remembered, which is all there is room for")]
pub struct Full(pub usize);

/// Signatures, each until it is too old to be used again.
#[derive(Debug)]
pub struct Seen {
    /// Milliseconds since the Unix epoch, by signature.
    until_ms: HashMap<String, u64>,
    unwritten: Vec<(String, u64)>,
    swept_at_ms: u64,
    /// Most signatures at a time.
    room: usize,
}

// === impl Seen ===

impl Seen {
    pub fn new(room: usize) -> Self {
        Self { until_ms: HashMap::new(), unwritten: Vec::new(), swept_at_ms: 0, room }
    }

    /// One that was written down before.
    pub fn load(&mut self, signature: String, until_ms: u64) {
        self.until_ms.insert(signature, until_ms);
    }

    /// Whether a signature is new. From now on it is not.
    ///
    /// # Errors
    /// [`Full`]: it cannot be remembered, so it must not be used.
    pub fn first_time(&mut self, signature: &str, until_ms: u64) -> Result<bool, Full> {
        if self.until_ms.contains_key(signature) {
            return Ok(false);
        }
        if self.until_ms.len() >= self.room {
            return Err(Full(self.room));
        }
        self.until_ms.insert(signature.to_owned(), until_ms);
        self.unwritten.push((signature.to_owned(), until_ms));
        Ok(true)
    }

    /// What is to be written down; [`Self::written`] says that it was.
    pub fn unwritten(&self) -> &[(String, u64)] {
        &self.unwritten
    }

    /// Everything is written down.
    pub fn written(&mut self) {
        self.unwritten.clear();
    }

    /// Now and then forgets what is too old; whether it did.
    pub fn sweep(&mut self, now_ms: u64) -> bool {
        if now_ms.saturating_sub(self.swept_at_ms) < SWEEP_MS {
            return false;
        }
        self.swept_at_ms = now_ms;
        self.until_ms.retain(|_, until_ms| *until_ms >= now_ms);
        true
    }
}

#[cfg(test)]
mod tests;
