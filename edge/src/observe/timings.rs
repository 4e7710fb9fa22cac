//! Where a request's time goes, step by step, and which step is the bottleneck.
//! The platform's clock stands still while code computes: what is measured is waiting.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

/// A request's steps so far. Clones share them.
#[derive(Debug, Clone)]
pub struct Timings {
    clock: fn() -> u64,
    began_ms: u64,
    steps: Rc<RefCell<Vec<(&'static str, u64)>>>,
}

// === impl Timings ===

impl Timings {
    /// Begins now, by `clock` (ms).
    pub fn start(clock: fn() -> u64) -> Self {
        Self { clock, began_ms: clock(), steps: Rc::default() }
    }

    /// Awaits a step and notes how long it took. Steps of the same name add up.
    pub async fn step<T>(&self, name: &'static str, step: impl Future<Output = T>) -> T {
        let began_ms = (self.clock)();
        let outcome = step.await;
        let took_ms = (self.clock)().saturating_sub(began_ms);
        let mut steps = self.steps.borrow_mut();
        match steps.iter_mut().find(|(known, _)| *known == name) {
            Some((_, ms)) => *ms = ms.saturating_add(took_ms),
            None => steps.push((name, took_ms)),
        }
        outcome
    }

    /// Since the start, ms.
    pub fn total_ms(&self) -> u64 {
        (self.clock)().saturating_sub(self.began_ms)
    }

    /// Every step with its ms, in the order they became known; at the end `answer`: what no step accounts for.
    pub fn steps(&self) -> Vec<(&'static str, u64)> {
        let mut steps = self.steps.borrow().clone();
        let known: u64 = steps.iter().map(|(_, ms)| *ms).sum();
        steps.push(("answer", self.total_ms().saturating_sub(known)));
        steps
    }

    /// The step that took longest; `None` if none took any time.
    pub fn bottleneck(&self) -> Option<(&'static str, u64)> {
        let steps = self.steps();
        let longest = steps.iter().map(|(_, ms)| *ms).max().filter(|ms| *ms > 0)?;
        steps.into_iter().find(|(_, ms)| *ms == longest)
    }
}

#[cfg(test)]
mod tests;
