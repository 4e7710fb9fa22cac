//! The clock of all of a shard's calls: rounds of 1 ms, calls spread over the twenty of a frame, and those that rest over
//! the thousand of a second. One clock for thousands of calls; it only says whose turn it is.

use std::time::Duration;

use crate::clock::Moment;
use crate::transport::CallIndex;

/// Rounds in a frame.
const FRAME_ROUNDS: usize = 20;

/// Rounds in a second.
const SECOND_ROUNDS: usize = 1000;

/// Length of a round.
const ROUND_LENGTH: Duration = Duration::from_millis(1);

/// How often a call is ticked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Every 20 ms, as its audio needs.
    Frame,
    /// Once a second: no audio flows.
    Second,
}

/// In which round of its frame, or of its second, a call is ticked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    pub pace: Pace,
    at: usize,
}

/// Number of a round since the shard's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round(u64);

/// Slots and the calls in them.
#[derive(Debug)]
pub struct Ticker {
    frames: [Vec<CallIndex>; FRAME_ROUNDS],
    seconds: Box<[Vec<CallIndex>]>,
    next: Round,
    due: Moment,
}

// === impl Round ===

impl Round {
    /// Frames' time since an earlier round, to the nearest one; at least one.
    pub fn frames_since(self, earlier: Self) -> u32 {
        let frames = (self.0.saturating_sub(earlier.0) as usize + FRAME_ROUNDS / 2) / FRAME_ROUNDS;
        u32::try_from(frames).unwrap_or(u32::MAX).max(1)
    }
}

// === impl Ticker ===

impl Ticker {
    pub fn new(now: Moment) -> Self {
        Self {
            frames: std::array::from_fn(|_| Vec::new()),
            seconds: vec![Vec::new(); SECOND_ROUNDS].into(),
            next: Round(0),
            due: now,
        }
    }

    /// Puts a call into the emptiest slot of a frame, or into any of a second.
    pub fn place(&mut self, call: CallIndex, pace: Pace) -> Slot {
        let at = match pace {
            Pace::Frame => (0..FRAME_ROUNDS).min_by_key(|&s| self.frames[s].len()).unwrap_or(0),
            Pace::Second => call as usize % SECOND_ROUNDS,
        };
        let slot = Slot { pace, at };
        self.slot_mut(slot).push(call);
        slot
    }

    pub fn remove(&mut self, call: CallIndex, slot: Slot) {
        let calls = self.slot_mut(slot);
        if let Some(place) = calls.iter().position(|&c| c == call) {
            calls.swap_remove(place);
        }
    }

    /// The next round, if it is due, with the time it was due at. After a stall every missed round comes in order.
    pub fn next_due(&mut self, now: Moment) -> Option<(Round, Moment)> {
        if now < self.due {
            return None;
        }
        let (round, due) = (self.next, self.due);
        self.next = Round(round.0 + 1);
        self.due = self.due + ROUND_LENGTH;
        Some((round, due))
    }

    /// The round that comes next.
    pub fn next(&self) -> Round {
        self.next
    }

    /// Whose turn it is: those whose audio is due first.
    pub fn calls(&self, round: Round) -> [&[CallIndex]; 2] {
        let of = |rounds: usize| (round.0 % rounds as u64) as usize;
        [&self.frames[of(FRAME_ROUNDS)], &self.seconds[of(SECOND_ROUNDS)]]
    }

    /// When the next round is due.
    pub fn due(&self) -> Moment {
        self.due
    }

    /// Starts the clock again after a time without calls, when no round was due to anybody.
    pub fn resume(&mut self, now: Moment) {
        self.due = self.due.max(now);
    }

    fn slot_mut(&mut self, slot: Slot) -> &mut Vec<CallIndex> {
        match slot.pace {
            Pace::Frame => &mut self.frames[slot.at],
            Pace::Second => &mut self.seconds[slot.at],
        }
    }
}
