//! A modelled node: its calls, how many it takes, and whether it is up. Between two epochs it is on its own.
//! Which calls it gets is the dispatcher's choice.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use edge_protocol::EndCause;
use engine::call::AgentSettings;
use engine::clock::Moment;

use super::call::{NewCall, SimCall, State};
use super::counts::{Counts, Samples};
use super::plan::Plan;

/// What a node is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Health {
    #[default]
    Up,
    /// Takes no new calls.
    Draining,
    /// Answers nothing.
    Down,
}

/// What a node says to an INVITE, or to OPTIONS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 200.
    Taken,
    /// 503: full, or draining.
    Unavailable,
    Silence,
}

#[derive(Default)]
pub struct Node {
    pub health: Health,
    capacity: usize,
    /// Taken since the last epoch.
    incoming: Vec<NewCall>,
    calls: Vec<Option<Box<SimCall>>>,
    free: Vec<usize>,
    /// Calls that carry media.
    media: Vec<usize>,
    /// When calls end; a call that is over before is not there any more, or another in its place.
    ends: BinaryHeap<Reverse<(Moment, u64, usize)>>,
    up: usize,
    pub peak: usize,
    pub counts: Counts,
    pub samples: Samples,
}

// === impl Node ===

impl Node {
    pub fn new(capacity: usize) -> Self {
        Self { capacity, ..Self::default() }
    }

    /// Calls that are up, or about to be.
    pub fn up(&self) -> usize {
        self.up + self.incoming.len()
    }

    pub fn is_empty(&self) -> bool {
        self.up() == 0
    }

    pub fn options(&self) -> Answer {
        match self.health {
            Health::Up => Answer::Taken,
            Health::Draining => Answer::Unavailable,
            Health::Down => Answer::Silence,
        }
    }

    pub fn invite(&mut self, call: NewCall) -> Answer {
        match self.health {
            Health::Down => Answer::Silence,
            Health::Draining => Answer::Unavailable,
            Health::Up if self.up() >= self.capacity => Answer::Unavailable,
            Health::Up => {
                self.incoming.push(call);
                self.peak = self.peak.max(self.up());
                Answer::Taken
            }
        }
    }

    /// Lives from `from` to `to`.
    pub fn advance(&mut self, from: Moment, to: Moment, plan: &Plan, agent: &Arc<AgentSettings>) {
        for new in std::mem::take(&mut self.incoming) {
            let call = Box::new(SimCall::new(new, plan, agent, &mut self.counts));
            let place = self.free.pop().unwrap_or_else(|| {
                self.calls.push(None);
                self.calls.len() - 1
            });
            self.ends.push(Reverse((call.ends, call.number, place)));
            if let Some(slot) = self.calls.get_mut(place) {
                *slot = Some(call);
            }
            self.media.push(place);
            self.up += 1;
        }
        let mut media = std::mem::take(&mut self.media);
        media.retain(|&place| {
            let Some(Some(call)) = self.calls.get_mut(place) else { return false };
            match call.live(from, to, plan, &mut self.counts, &mut self.samples) {
                State::Media => true,
                State::Idle => false,
                State::Over => {
                    self.drop_call(place);
                    false
                }
            }
        });
        self.media = media;
        while let Some(&Reverse((at, number, place))) = self.ends.peek() {
            if at > to {
                break;
            }
            self.ends.pop();
            // A call that was over before may have left its place to another.
            let ended = self.calls.get_mut(place).and_then(Option::as_mut).filter(|call| call.number == number);
            if let Some(call) = ended {
                call.end(at, EndCause::CallerHungUp);
                self.counts.completed += 1;
                self.media.retain(|&other| other != place);
                self.drop_call(place);
            }
        }
    }

    fn drop_call(&mut self, place: usize) {
        if let Some(slot) = self.calls.get_mut(place) {
            *slot = None;
            self.free.push(place);
            self.up -= 1;
        }
    }

    /// Dies with its calls, and tells how many there were.
    pub fn die(&mut self) -> usize {
        let lost = self.up();
        self.counts.lost += lost as u64;
        // Taken, but never made: they count all the same.
        self.counts.calls += self.incoming.len() as u64;
        self.forget();
        self.health = Health::Down;
        lost
    }

    /// Ends what is left of its calls and stops.
    pub fn stop(&mut self, now: Moment) {
        self.counts.cut_by_drain += self.end_all(now, EndCause::NodeStopped);
        self.health = Health::Down;
    }

    /// The simulation is over.
    pub fn finish(&mut self, now: Moment) {
        self.counts.up_at_end += self.end_all(now, EndCause::CallerHungUp);
    }

    fn end_all(&mut self, now: Moment, cause: EndCause) -> u64 {
        let ended = self.up() as u64;
        self.counts.calls += self.incoming.len() as u64;
        for call in self.calls.iter_mut().flatten() {
            call.end(now, cause);
        }
        self.forget();
        ended
    }

    fn forget(&mut self) {
        self.incoming.clear();
        self.calls = Vec::new();
        self.free.clear();
        self.media.clear();
        self.ends.clear();
        self.up = 0;
    }
}
