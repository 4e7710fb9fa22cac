//! When to work ahead while the caller pauses, how often, and what of it was for nothing.
//! The work itself (transcript, answer, voice) is the conversation's to ask for.

use std::time::Duration;

use crate::clock::Moment;

/// Silence after which the first attempt of a turn begins, at the next tick.
const FIRST_PAUSE: Duration = Duration::from_millis(60);

/// How much longer the pause must be with each attempt that came to nothing: some people pause often.
const LONGER_EACH: Duration = Duration::from_millis(20);

/// Voiced audio below which there is nothing to work on.
const SHORTEST_SPEECH_MS: u32 = 160;

/// How much work may be for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeculationSettings {
    /// Attempts in one turn of the caller; 0: none are made.
    pub per_turn: u32,
    /// Attempts in a call that may come to nothing.
    pub per_call: u32,
}

/// Attempts of one call.
#[derive(Debug)]
pub struct Speculation {
    settings: SpeculationSettings,
    in_turn: u32,
    in_vain: u32,
    wasted_requests: u32,
    /// End of the speech the last attempt was about: one attempt a pause.
    tried: Option<Moment>,
}

// === impl Speculation ===

impl Speculation {
    pub fn new(settings: SpeculationSettings) -> Self {
        Self { settings, in_turn: 0, in_vain: 0, wasted_requests: 0, tried: None }
    }

    /// Is it time to work ahead, the caller having fallen silent at `last_voiced`?
    pub fn is_due(&self, now: Moment, last_voiced: Moment, voiced_ms: u32) -> bool {
        self.in_turn < self.settings.per_turn
            && self.in_vain < self.settings.per_call
            && self.tried != Some(last_voiced)
            && voiced_ms >= SHORTEST_SPEECH_MS
            && now.since(last_voiced) >= FIRST_PAUSE + LONGER_EACH * self.in_turn
    }

    pub fn begun(&mut self, last_voiced: Moment) {
        self.in_turn += 1;
        self.tried = Some(last_voiced);
    }

    /// An attempt was thrown away after so many requests to providers.
    pub fn in_vain(&mut self, requests: u32) {
        self.in_vain += 1;
        self.wasted_requests += requests;
    }

    /// The caller's turn is over.
    pub fn turn_over(&mut self) {
        self.in_turn = 0;
        self.tried = None;
    }

    /// Requests whose results were thrown away.
    pub fn wasted_requests(&self) -> u32 {
        self.wasted_requests
    }
}

impl Default for SpeculationSettings {
    fn default() -> Self {
        Self { per_turn: 6, per_call: 200 }
    }
}
