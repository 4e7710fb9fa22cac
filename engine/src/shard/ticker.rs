//! The 20 ms clock of all of a shard's calls: twenty slots of 1 ms, calls spread over them evenly.
//! One clock for thousands of calls; it only says whose turn it is.

use std::time::Duration;

use crate::clock::Moment;
use crate::transport::CallIndex;

/// Slots in a frame.
const SLOTS: usize = 20;

/// Length of a slot.
const SLOT: Duration = Duration::from_millis(1);

/// Which slot of the frame a call is ticked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(usize);

/// Slots and the calls in them.
#[derive(Debug)]
pub struct Ticker {
    slots: [Vec<CallIndex>; SLOTS],
    current: usize,
    due: Moment,
}

// === impl Ticker ===

impl Ticker {
    pub fn new(now: Moment) -> Self {
        Self { slots: std::array::from_fn(|_| Vec::new()), current: 0, due: now }
    }

    /// Puts a call into the emptiest slot.
    pub fn place(&mut self, call: CallIndex) -> Slot {
        let emptiest = (0..SLOTS).min_by_key(|&s| self.slots[s].len()).unwrap_or(0);
        self.slots[emptiest].push(call);
        Slot(emptiest)
    }

    pub fn remove(&mut self, call: CallIndex, slot: Slot) {
        self.slots[slot.0].retain(|&c| c != call);
    }

    /// The next slot, if it is due, with the time it was due at. After a stall every missed slot comes in order.
    pub fn next_due(&mut self, now: Moment) -> Option<(Slot, Moment)> {
        if now < self.due {
            return None;
        }
        let (slot, due) = (Slot(self.current), self.due);
        self.current = (self.current + 1) % SLOTS;
        self.due = self.due + SLOT;
        Some((slot, due))
    }

    pub fn calls(&self, slot: Slot) -> &[CallIndex] {
        &self.slots[slot.0]
    }

    /// When the next slot is due.
    pub fn due(&self) -> Moment {
        self.due
    }

    /// Starts the clock again after a time without calls, when no slot was due to anybody.
    pub fn resume(&mut self, now: Moment) {
        self.due = self.due.max(now);
    }
}
