//! Marks in what a frame leg sends: how much of it the other side has not played yet, by when they come back.
//! How a mark is spelled is the dialect's; what was heard of a sentence is the speaker's.

use std::collections::VecDeque;
use std::time::Duration;

use crate::audio::FRAME_MS;
use crate::clock::Moment;

/// Frames from one mark to the next (500 ms).
const EVERY: u32 = 25;

/// Marks that may be under way; of clients that send none back, the oldest are forgotten.
const MOST_UNDER_WAY: usize = 32;

/// Numbers marks, and remembers the last 2.5 s.
#[derive(Debug)]
pub struct Marks {
    next: u32,
    /// Frames since the last mark.
    since: u32,
    /// Number and time of the marks that did not come back, oldest first.
    under_way: VecDeque<(u32, Moment)>,
    /// How long the last mark that came back was away; `None`: none ever did.
    lag: Option<Duration>,
    /// A bit for every tick, the last one's lowest: a frame was sent.
    sent: u128,
}

// === impl Marks ===

impl Marks {
    pub fn new() -> Self {
        Self { next: 0, since: 0, under_way: VecDeque::with_capacity(MOST_UNDER_WAY), lag: None, sent: 0 }
    }

    /// Whether a frame is sent in this tick. The mark to be sent behind it: where the voice begins, every 500 ms of it,
    /// and behind its end.
    pub fn tick(&mut self, now: Moment, sends: bool) -> Option<u32> {
        let sent_before = self.sent & 1 == 1;
        self.sent = (self.sent << 1) | u128::from(sends);
        self.since += u32::from(sends);
        let due = sends != sent_before || (sends && self.since >= EVERY);
        due.then(|| self.mark(now))
    }

    /// The other side has played all that was sent before this mark. Marks nobody waits for any more say nothing.
    pub fn came_back(&mut self, now: Moment, mark: u32) {
        let Some(at) = self.under_way.iter().position(|(number, _)| *number == mark) else { return };
        self.lag = self.under_way.drain(..=at).next_back().map(|(_, sent)| now.since(sent));
    }

    /// The other side drops what it has not played, and sends the marks in it back at once.
    pub fn flush(&mut self) {
        self.under_way.clear();
        self.sent = 0;
    }

    /// How much of the audio sent was not played yet; nothing where marks do not come back.
    pub fn unplayed(&self, now: Moment) -> Duration {
        let Some(lag) = self.lag else { return Duration::ZERO };
        let missing = self.under_way.front().map_or(Duration::ZERO, |(_, sent)| now.since(*sent));
        let ticks = lag.max(missing).as_millis() / u128::from(FRAME_MS);
        let recent = 1_u128.checked_shl(ticks.try_into().unwrap_or(u32::MAX)).map_or(u128::MAX, |bit| bit - 1);
        Duration::from_millis(u64::from((self.sent & recent).count_ones() * FRAME_MS))
    }

    fn mark(&mut self, now: Moment) -> u32 {
        if self.under_way.len() == MOST_UNDER_WAY {
            self.under_way.pop_front();
        }
        self.next = self.next.wrapping_add(1);
        self.since = 0;
        self.under_way.push_back((self.next, now));
        self.next
    }
}

#[cfg(test)]
mod tests;
