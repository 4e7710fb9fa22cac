//! How fast a client may send: twice real time in the long run, with some seconds in advance.
//! A client that is over it is not read for a while, so that its own socket slows it down; nothing is dropped here.

use std::time::Duration;

use tokio::time::Instant;

/// Samples granted a second: twice 8000 Hz.
const SAMPLES_A_SECOND: f64 = 16_000.0;

/// Most samples saved up: 4 s of audio.
const MOST: f64 = 32_000.0;

/// What a message costs at least, as 10 ms of audio: 200 messages a second in the long run.
const LEAST_COST: usize = 80;

/// Samples a client may still send.
#[derive(Debug)]
pub struct Allowance {
    left: f64,
    at: Instant,
}

// === impl Allowance ===

impl Allowance {
    pub fn new(now: Instant) -> Self {
        Self { left: MOST, at: now }
    }

    /// A message with so many samples came.
    pub fn spend(&mut self, now: Instant, samples: usize) {
        self.grant(now);
        self.left -= samples.max(LEAST_COST) as f64;
    }

    /// When the next message may be read; `None`: now.
    pub fn next(&self) -> Option<Instant> {
        (self.left < 0.0).then(|| self.at + Duration::from_secs_f64(-self.left / SAMPLES_A_SECOND))
    }

    fn grant(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        self.left = (self.left + passed.as_secs_f64() * SAMPLES_A_SECOND).min(MOST);
        self.at = now;
    }
}

#[cfg(test)]
mod tests;
