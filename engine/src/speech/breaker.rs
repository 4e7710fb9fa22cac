//! When a provider that keeps failing is left alone: after some failures in a row, but for one trial now and then.
//! What a failure is, and who is asked instead, is `route`'s business.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How much a provider may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row after which it is not asked any more.
    pub failures: u32,
    /// Time until it is tried again.
    pub pause: Duration,
}

/// One provider's record at one stage.
#[derive(Debug)]
pub struct Breaker {
    /// For the log: whose record it is.
    name: String,
    settings: BreakerSettings,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is asked; so many requests in a row have failed, the last one a pause before `doubted_until`.
    Closed { failures: u32, doubted_until: Instant },
    /// It is not asked before `until`, and once then.
    Open { until: Instant },
    /// The one trial is under way.
    HalfOpen,
}

/// One request that may be made. Dropped without a word, it tells nothing about the provider.
#[derive(Debug)]
pub struct Permit {
    breaker: Arc<Breaker>,
    trial: bool,
    /// What is told when the permit is dropped.
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Served,
    Failed,
}

// === impl Breaker ===

impl Breaker {
    pub fn new(name: String, settings: BreakerSettings) -> Arc<Self> {
        Arc::new(Self { name, settings, state: Mutex::new(State::well(Instant::now())) })
    }

    /// May it be asked now?
    pub fn allows(&self, now: Instant) -> bool {
        match *self.state() {
            State::Closed { .. } => true,
            State::Open { until } => now >= until,
            State::HalfOpen => false,
        }
    }

    /// Is it likely to serve? Not if it has just failed.
    pub fn is_well(&self, now: Instant) -> bool {
        match *self.state() {
            State::Closed { doubted_until: until, .. } | State::Open { until } => now >= until,
            State::HalfOpen => false,
        }
    }

    /// Leave to ask it now; `None` while it is left alone.
    pub fn permit(self: &Arc<Self>, now: Instant) -> Option<Permit> {
        if !self.allows(now) {
            return None;
        }
        let mut state = self.state();
        let trial = matches!(*state, State::Open { .. });
        if trial {
            *state = State::HalfOpen;
        }
        drop(state);
        Some(Permit { breaker: Arc::clone(self), trial, outcome: None })
    }

    /// Leave to ask it although it is left alone: there is nobody else to go to.
    pub fn permit_anyway(self: &Arc<Self>) -> Permit {
        Permit { breaker: Arc::clone(self), trial: false, outcome: None }
    }

    fn settle(&self, now: Instant, trial: bool, outcome: Option<Outcome>) {
        let mut state = self.state();
        let before = *state;
        let until = now + self.settings.pause;
        *state = match (before, outcome) {
            (_, Some(Outcome::Served)) => State::well(now),
            (State::Closed { failures, .. }, Some(Outcome::Failed)) if failures + 1 < self.settings.failures => {
                State::Closed { failures: failures + 1, doubted_until: until }
            }
            (State::Closed { .. }, Some(Outcome::Failed)) => State::Open { until },
            (State::HalfOpen, Some(Outcome::Failed)) if trial => State::Open { until },
            // The trial told nothing: the next request is another.
            (State::HalfOpen, None) if trial => State::Open { until: now },
            // Requests from before it was left alone.
            (unchanged, _) => unchanged,
        };
        let after = *state;
        drop(state);
        match (before, after) {
            (State::Closed { .. }, State::Open { .. }) => {
                tracing::warn!(provider = self.name, pause = ?self.settings.pause, "a provider keeps failing and is left alone");
            }
            (State::Open { .. } | State::HalfOpen, State::Closed { .. }) => {
                tracing::info!(provider = self.name, "a provider serves again");
            }
            _ => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn well(now: Instant) -> Self {
        Self::Closed { failures: 0, doubted_until: now }
    }
}

// === impl Permit ===

impl Permit {
    /// The provider delivers; what fails later may still be told.
    pub fn serves(&mut self) {
        self.outcome = Some(Outcome::Served);
    }

    pub fn failed(mut self) {
        self.outcome = Some(Outcome::Failed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.breaker.settle(Instant::now(), self.trial, self.outcome);
    }
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failures: 3, pause: Duration::from_secs(10) }
    }
}

#[cfg(test)]
mod tests;
