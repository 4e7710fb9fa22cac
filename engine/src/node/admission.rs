//! Whether the node takes another call: the cap, and signs that the ticker falls behind.
//! Telling callers is signalling's part; measuring lateness is the shard's.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::watch;

use crate::shard::{LATENESS_BOUNDS_US, ShardHandle};

/// Slots later than this are a burden on the audio: a quarter of a frame, still inside every jitter buffer.
const LATE_US: u64 = 5_000;

/// Share of late slots in a window that is too much, in percent.
const TOO_MANY_LATE: u64 = 20;

/// Windows in a row with too many late slots that mean overload: a machine that stumbled once is not overloaded.
const LATE_WINDOWS: u32 = 2;

/// Late slots in a window below which nobody is overloaded: a few calls on a machine that stumbled.
const FEW_LATE: u64 = 10;

/// Windows in a row that must be fine before calls are taken again.
const CALM_WINDOWS: u32 = 4;

/// How often lateness is looked at.
pub const WINDOW: Duration = Duration::from_millis(250);

/// What a refused caller is told to wait.
pub const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Room for calls; a place is held as long as its call lives.
#[derive(Debug, Clone)]
pub struct CallCap {
    /// Calls that hold a place.
    active: watch::Sender<usize>,
    most: usize,
}

/// A call's place under the cap; dropping it makes room.
#[derive(Debug)]
pub struct CallPlace {
    active: watch::Sender<usize>,
}

/// Watches the shards' lateness, window by window.
#[derive(Debug, Default)]
pub struct Overload {
    /// Slots and late slots counted up to the last window.
    seen: (u64, u64),
    late: u32,
    calm: u32,
    overloaded: bool,
}

// === impl CallCap ===

impl CallCap {
    pub fn new(most: usize) -> Self {
        Self { active: watch::Sender::new(0), most }
    }

    /// A place for a call, if one is free.
    pub fn enter(&self) -> Option<CallPlace> {
        let entered = self.active.send_if_modified(|active| {
            let room = *active < self.most;
            *active += usize::from(room);
            room
        });
        entered.then(|| CallPlace { active: self.active.clone() })
    }

    /// Calls that hold a place.
    pub fn active(&self) -> usize {
        *self.active.borrow()
    }

    /// Waits until no call holds a place.
    pub async fn emptied(&self) {
        // The sender is ours: it cannot be gone.
        let _ = self.active.subscribe().wait_for(|active| *active == 0).await;
    }
}

impl Drop for CallPlace {
    fn drop(&mut self) {
        self.active.send_modify(|active| *active -= 1);
    }
}

// === impl Overload ===

impl Overload {
    /// Counts of all slots so far, and of those that began late.
    pub fn slots(shards: &[ShardHandle]) -> (u64, u64) {
        let first_late = LATENESS_BOUNDS_US.partition_point(|&bound| bound <= LATE_US);
        let mut counts = (0, 0);
        for shard in shards {
            for (bucket, count) in shard.stats().lateness.iter().enumerate() {
                let count = count.load(Relaxed);
                counts.0 += count;
                counts.1 += if bucket >= first_late { count } else { 0 };
            }
        }
        counts
    }

    /// Looks at another window, given the counts so far. True while new calls are to be refused.
    pub fn observe(&mut self, (slots, late): (u64, u64)) -> bool {
        let (new_slots, new_late) = (slots - self.seen.0, late - self.seen.1);
        self.seen = (slots, late);
        let behind = new_late > FEW_LATE && new_late * 100 > new_slots * TOO_MANY_LATE;
        self.late = if behind { self.late.saturating_add(1) } else { 0 };
        self.calm = if behind { 0 } else { self.calm.saturating_add(1) };
        self.overloaded = self.late >= LATE_WINDOWS || (self.overloaded && self.calm < CALM_WINDOWS);
        self.overloaded
    }
}

#[cfg(test)]
mod tests;
