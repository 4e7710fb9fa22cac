//! A media leg whose other side hands over frames in order, such as a WebSocket: no packets, no loss, only bursts.
//! It evens the bursts out, and decides which of the agent's frames are worth sending; who carries them is the shard's.

use std::collections::VecDeque;
use std::time::Duration;

use edge_protocol::MediaQuality;

use super::marks::Marks;
use crate::audio::g711::Law;
use crate::audio::quality::{self, Loss, Robustness};
use crate::audio::{FRAME_MS, FRAME_SAMPLES};
use crate::clock::Moment;

/// 20 ms of one side, law-encoded.
pub type LawFrame = [u8; FRAME_SAMPLES];

/// Frames that may wait (2 s): a message of the longest allowed length on top of a second of backlog.
const MOST_WAITING: usize = 100;

/// Frames that must wait before playing begins again after a gap (40 ms): one late frame is no gap then. At first one is
/// enough, as a client that keeps time needs no more.
const PRIME: usize = 2;

/// Frames over which the backlog is watched (2 s); what never drained in that time is delay and nothing else.
const WATCHED: u32 = 100;

/// Backlog that is left alone (80 ms).
const STANDING: usize = 4;

/// Peak amplitude below which a frame may be skipped to catch up.
const QUIET_PEAK: u16 = 200;

/// Silent frames sent after the agent's last word (200 ms), so that the end of it is played in peace.
const HANGOVER: u8 = 10;

/// One leg's frames, both ways.
#[derive(Debug)]
pub struct FrameLeg {
    law: Law,
    waiting: VecDeque<LawFrame>,
    /// Ticks since frames began to wait for `prime`; `None` while playing.
    priming: Option<usize>,
    /// Frames that must wait before playing begins: one until there was a gap, then [`PRIME`].
    prime: usize,
    /// Least that waited during the ticks watched.
    least: usize,
    watched: u32,
    /// Quiet frames to be skipped when they come up.
    surplus: usize,
    last_heard: Moment,
    hangover: u8,
    /// The agent's frame of the last tick is to be sent.
    sends: bool,
    marks: Marks,
    /// The mark that goes behind the frame of the last tick.
    mark: Option<u32>,
    received: u64,
    dropped: u64,
    sent: u64,
}

// === impl FrameLeg ===

impl FrameLeg {
    pub fn new(law: Law, now: Moment) -> Self {
        Self {
            law,
            waiting: VecDeque::with_capacity(MOST_WAITING),
            priming: Some(0),
            prime: 1,
            least: MOST_WAITING,
            watched: 0,
            surplus: 0,
            last_heard: now,
            hangover: 0,
            sends: false,
            marks: Marks::new(),
            mark: None,
            received: 0,
            dropped: 0,
            sent: 0,
        }
    }

    /// The other side's next 20 ms. True if it had to displace the oldest ones, for the first time.
    pub fn push(&mut self, now: Moment, frame: &LawFrame) -> bool {
        self.last_heard = now;
        self.received += 1;
        let full = self.waiting.len() >= MOST_WAITING;
        if full {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(*frame);
        full && self.dropped == 1
    }

    /// The other side sent something that is no audio: it lives.
    pub fn heard_from(&mut self, now: Moment) {
        self.last_heard = now;
    }

    /// Takes the next 20 ms out; silence while there is nothing.
    pub fn next_frame(&mut self, out: &mut [i16; FRAME_SAMPLES]) {
        self.watch_backlog();
        if let Some(ticks) = self.priming.filter(|_| !self.waiting.is_empty()) {
            let begins = self.waiting.len() >= self.prime || ticks >= self.prime;
            self.priming = (!begins).then_some(ticks + 1);
        }
        let next = if self.priming.is_none() { self.waiting.pop_front() } else { None };
        let Some(mut frame) = next else {
            if self.priming.is_none() {
                (self.priming, self.prime) = (Some(0), PRIME);
            }
            out.fill(0);
            return;
        };
        while self.surplus > 0 && self.is_quiet(&frame) {
            let Some(later) = self.waiting.pop_front() else { break };
            self.surplus -= 1;
            frame = later;
        }
        self.law.decode_into(&frame, out);
    }

    /// The agent's frame of this tick: voice, or silence in the middle of what the agent says, is sent; other
    /// silence is not.
    pub fn send_frame(&mut self, now: Moment, speaks: bool) {
        self.hangover = if speaks { HANGOVER } else { self.hangover.saturating_sub(1) };
        self.sends = speaks || self.hangover > 0;
        self.sent += u64::from(self.sends);
        self.mark = self.marks.tick(now, self.sends);
    }

    /// The mark that goes behind the frame of the last tick, once.
    pub fn mark_to_send(&mut self) -> Option<u32> {
        self.mark.take()
    }

    /// The other side has played all it was sent before this mark.
    pub fn played(&mut self, now: Moment, mark: u32) {
        self.last_heard = now;
        self.marks.came_back(now, mark);
    }

    /// The other side drops what it has not played. Neither the frame of the last tick, the faded end of that, nor the
    /// silence behind it is sent any more.
    pub fn flush(&mut self) {
        self.sent -= u64::from(std::mem::take(&mut self.sends));
        self.hangover = 0;
        self.mark = None;
        self.marks.flush();
    }

    /// How much of what was sent the other side has not played yet, as far as it tells.
    pub fn unplayed(&self, now: Moment) -> Duration {
        self.marks.unplayed(now)
    }

    /// Whether the agent's frame of the last tick is to be sent.
    pub fn sends(&self) -> bool {
        self.sends
    }

    /// Time since the other side sent anything.
    pub fn silent_for(&self, now: Moment) -> Duration {
        now.since(self.last_heard)
    }

    /// How long audio waits here now.
    pub fn playout_delay(&self) -> Duration {
        Duration::from_millis(self.waiting.len() as u64 * u64::from(FRAME_MS))
    }

    /// In frames of 20 ms where RTP counts packets; nothing is lost on the way, and what overran counts as lost.
    pub fn quality(&self) -> MediaQuality {
        let loss = Loss::of(self.dropped, self.received, self.dropped);
        MediaQuality {
            packets_received: self.received,
            packets_sent: self.sent,
            packets_lost: self.dropped,
            mos: quality::mos(Robustness::G711, loss, self.playout_delay().as_secs_f32() * 1000.0),
            ..MediaQuality::default()
        }
    }

    fn watch_backlog(&mut self) {
        self.least = self.least.min(self.waiting.len());
        self.watched += 1;
        if self.watched >= WATCHED {
            self.surplus = self.least.saturating_sub(STANDING);
            (self.watched, self.least) = (0, MOST_WAITING);
        }
    }

    fn is_quiet(&self, frame: &LawFrame) -> bool {
        frame.iter().all(|&byte| self.law.decode(byte).unsigned_abs() < QUIET_PEAK)
    }
}

#[cfg(test)]
mod tests;
