//! Received audio: RTP packets in any order in, exactly 20 ms of samples out per tick.
//! How deep the buffer should be is decided in `jitter`, what stands in for a lost packet in `conceal`.

use super::FRAME_SAMPLES;
use super::codec::{Codec, ComfortNoise, Decoding};
use super::conceal::Concealer;
use super::g711::Law;
use super::jitter::{DelayTarget, MAX_TARGET};
use super::reorder::{CAPACITY, Reorder};
use super::sequence::{Order, SequenceTracker};
use crate::clock::Moment;
use crate::rtp::RtpPacket;

mod play;

/// What became of a packet given to [`Playout::insert`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// In the buffer, waiting for its turn.
    Queued,
    /// Its place had already been played.
    Late,
    /// Its sequence number had been seen already.
    Duplicate,
    /// The sender's clock or numbering jumped; its audio goes on from here without a hole.
    Jumped,
    /// Far from the stream in sequence: thrown away, unless the next packet follows it.
    Stray,
    /// Nothing in it, or more than 200 ms.
    Unusable,
}

/// What the 160 samples written by [`Playout::next_frame`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Received audio (in full or for the greater part).
    Voice,
    /// Made up: packets are missing.
    Concealed,
    /// Nothing to play yet, or the sender is silent. All zero but for a short fade, or the noise of a pause.
    Silence,
}

/// Counted since construction; restarts do not reset the counts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PlayoutStats {
    /// Packets that came after their place had been played.
    pub late: u64,
    /// Packets that came twice.
    pub duplicate: u64,
    /// Packets that never came in time.
    pub lost: u64,
    /// Audio that was made up, ms.
    pub concealed_ms: u64,
    /// From a packet's arrival to its samples being played, ms, smoothed.
    pub delay_ms: f32,
}

/// Longest packet taken, samples.
const MAX_PACKET: usize = 1600;
/// How long a loss is remembered by a codec that can do something about the next one: 10 s at 20 ms.
const PATIENT_PACKETS: u32 = 500;
/// A packet this much slower than the fastest is no delay but a jump of the sender's clock: 1 s.
const JUMP_BACK: i64 = 8000;
/// The same for a packet that is faster: 250 ms.
const JUMP_AHEAD: i64 = -2000;

/// One caller's audio on its way in. Nothing is allocated after construction, but for law bytes of more packets than its
/// thread's calls have room for together (`reorder`).
///
/// Positions are samples on a line of their own, onto which the sender's timestamps are mapped, so that a jump of
/// the sender's clock changes the mapping and nothing else.
pub struct Playout {
    codec: Codec,
    /// Law of G.711, whose bytes `store` holds.
    law: Law,
    /// Packets of a codec with a memory; of these `store` knows only where they are.
    decoding: Option<Box<Decoding>>,
    store: Reorder,
    target: DelayTarget,
    order: SequenceTracker,
    concealer: Concealer,
    /// A timestamp of the sender and its position; `None` before the first packet.
    mapping: Option<(u32, i64)>,
    /// Position played next.
    line: i64,
    /// Audio before this position is played or given up; never after `line`.
    edge: i64,
    /// End of the newest packet.
    newest_end: i64,
    /// Nothing is played until the next packet has waited for its target.
    waiting: bool,
    /// Smoothed depth: what the fastest packets wait, samples.
    depth: f32,
    correction_pause: u8,
    /// Made-up samples of which it is not known whether packets are missing there or the sender paused.
    undecided: usize,
    /// Packets to come for which one more is awaited than would do, since it tells what the one before it was.
    patient_packets: u32,
    /// Before this position, what is there was made up by the codec.
    bridged_to: i64,
    /// The sender pauses from this position on and says so.
    pause: Option<i64>,
    /// The noise it described for that.
    noise: Option<ComfortNoise>,
    lost_before: u64,
    concealed: u64,
    stats: PlayoutStats,
}

impl Playout {
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            law: codec.law(),
            decoding: Decoding::of(codec),
            store: Reorder::new(),
            target: DelayTarget::new(),
            order: SequenceTracker::default(),
            concealer: Concealer::new(),
            mapping: None,
            line: 0,
            edge: 0,
            newest_end: 0,
            waiting: true,
            depth: 0.0,
            correction_pause: 0,
            undecided: 0,
            patient_packets: 0,
            bridged_to: 0,
            pause: None,
            noise: None,
            lost_before: 0,
            concealed: 0,
            stats: PlayoutStats::default(),
        }
    }

    /// A new stream begins (new SSRC or codec): nothing of the old one may hold it up. The counts go on.
    pub fn restart(&mut self, codec: Codec) {
        match self.decoding.as_mut().filter(|_| codec.decodes(self.codec)) {
            Some(decoding) => decoding.clear(),
            None => self.decoding = Decoding::of(codec),
        }
        self.codec = codec;
        self.law = codec.law();
        // What was heard fades away, and what comes is blended in.
        self.concealer.cut();
        self.lost_before += self.order.missing();
        self.store.clear();
        self.target = DelayTarget::new();
        self.order = SequenceTracker::default();
        self.mapping = None;
        self.waiting = true;
        self.undecided = 0;
        self.patient_packets = 0;
        self.pause = None;
        self.noise = None;
    }

    /// Takes a packet of the stream's audio payload type.
    pub fn insert(&mut self, now: Moment, packet: &RtpPacket<'_>) -> Inserted {
        let Some(length) = self.samples_in(packet.payload) else { return Inserted::Unusable };
        let order = self.order.note(packet.sequence);
        match order {
            Order::Duplicate => {
                self.stats.duplicate += 1;
                return Inserted::Duplicate;
            }
            Order::Stray => return Inserted::Stray,
            Order::Newer { .. } | Order::Older | Order::Jumped => {}
        }
        let arrival = samples_of(now);
        let first = self.mapping.is_none();
        let mut position = self.position_of(packet.timestamp).unwrap_or(arrival);
        if first {
            (self.line, self.edge, self.newest_end) = (position, position, position);
        }
        let excess = self.target.excess(arrival, position);
        let jumped = order == Order::Jumped || !(JUMP_AHEAD..=JUMP_BACK).contains(&excess);
        if jumped {
            if order == Order::Older && !self.order.begins_again(packet.sequence) {
                self.stats.late += 1;
                return Inserted::Late;
            }
            position = self.newest_end.max(arrival - self.target.floor());
        }
        self.mapping = Some((packet.timestamp, position));
        self.settle_undecided(order, position);
        self.note_loss(order);
        self.target.observe(arrival, position);
        let excess = arrival - position - self.target.floor();
        self.stats.delay_ms += (self.wait_ms(excess) - self.stats.delay_ms) / 16.0;
        let stored = self.store_from(arrival, position, excess, (length, packet.payload));
        self.newest_end = self.newest_end.max(position + length as i64);
        match (stored, jumped) {
            (false, _) => {
                self.stats.late += 1;
                Inserted::Late
            }
            (true, true) => Inserted::Jumped,
            (true, false) => Inserted::Queued,
        }
    }

    /// A packet of the same stream that is no audio (telephone-event, comfort noise): it is not missing.
    pub fn pass_over(&mut self, sequence: u16) {
        self.order.note(sequence);
    }

    /// A packet of comfort noise (RFC 3389): from its place on the sender is silent, and sounds like this meanwhile.
    pub fn pause_with_noise(&mut self, packet: &RtpPacket<'_>) {
        self.pass_over(packet.sequence);
        if let Some(noise) = ComfortNoise::described_by(packet.payload) {
            self.noise = Some(noise);
            self.pause = Some(self.position_of(packet.timestamp).unwrap_or(self.line));
        }
    }

    pub fn stats(&self) -> PlayoutStats {
        PlayoutStats { lost: self.lost_before + self.order.missing(), concealed_ms: self.concealed / 8, ..self.stats }
    }

    /// Keeps what is not too late; moves `line` back if nothing beyond the packet was played yet.
    fn store_from(&mut self, arrival: i64, position: i64, excess: i64, (length, payload): (usize, &[u8])) -> bool {
        let end = position + length as i64;
        // Further back than this, playing it would delay everything after it beyond the deepest target.
        let oldest = arrival - self.target.floor() - MAX_TARGET;
        let start =
            if self.waiting { position.max(self.edge) } else { position.max(self.edge).max(oldest.min(self.line)) };
        if start < self.line {
            self.target.observe_late(arrival, excess);
        }
        if start >= end || !self.keep(position, length, payload) {
            return false;
        }
        // More than the ring holds: give up the oldest.
        if end - self.edge > CAPACITY as i64 {
            self.give_up_to(end - CAPACITY as i64);
        }
        if !self.waiting && start < self.line {
            self.depth += (self.line - start) as f32;
            self.line = start;
        }
        if self.decoding.is_some() {
            self.store.mark(start, end);
        } else {
            let skipped = usize::try_from(start - position).unwrap_or(0);
            self.store.write(start, payload.get(skipped..).unwrap_or(&[]));
        }
        true
    }

    /// Gives a packet to the codec, if it has a memory. False if it comes too late for it.
    fn keep(&mut self, position: i64, length: usize, payload: &[u8]) -> bool {
        let Some(decoding) = &mut self.decoding else { return true };
        if decoding.is_pause(payload) {
            self.pause = Some(position + length as i64);
        }
        decoding.insert(position, length, payload)
    }

    /// Samples in a packet, if it is usable.
    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        match &self.decoding {
            Some(decoding) => decoding.samples_in(payload),
            None => Some(payload.len()).filter(|length| (1..=MAX_PACKET).contains(length)),
        }
    }

    /// Where on the line a timestamp of the sender is; `None` before the first packet.
    fn position_of(&self, timestamp: u32) -> Option<i64> {
        let (known, position) = self.mapping?;
        let ticks = i64::from(timestamp.wrapping_sub(known) as i32);
        Some(position + ticks / i64::from(self.codec.ticks_per_sample()))
    }

    /// Decides what the made-up audio before this packet was: a pause if its number follows but its time does not.
    fn settle_undecided(&mut self, order: Order, position: i64) {
        let paused = order == (Order::Newer { missing: 0 }) && position > self.newest_end;
        if !paused {
            self.concealed += self.undecided as u64;
        }
        self.undecided = 0;
    }

    /// A codec that tells of lost packets in the next one is given the time for that, while packets get lost.
    fn note_loss(&mut self, order: Order) {
        let recovers = self.decoding.as_ref().is_some_and(|decoding| decoding.recovers());
        match order {
            Order::Newer { missing: 1.. } if recovers => self.patient_packets = PATIENT_PACKETS,
            _ => self.patient_packets = self.patient_packets.saturating_sub(1),
        }
    }

    /// Delay over the fastest packets at which audio is to be played, samples.
    fn wanted_depth(&self) -> i64 {
        let patience = if self.patient_packets > 0 { FRAME_SAMPLES as i64 } else { 0 };
        (self.target.target() + patience).min(MAX_TARGET)
    }

    fn give_up_to(&mut self, position: i64) {
        if position > self.edge {
            self.store.forget(self.edge, position);
            self.edge = position;
            self.line = self.line.max(position);
        }
    }

    fn wait_ms(&self, excess: i64) -> f32 {
        let depth = if self.waiting { self.wanted_depth() as f32 } else { self.depth };
        (depth - excess as f32).max(0.0) / 8.0
    }

    /// Without newer audio a late packet may still be played, unless it is older than the deepest target.
    fn give_up_behind(&mut self) {
        let line = self.line;
        self.give_up_to(line - MAX_TARGET);
        self.line = line;
    }
}

/// A moment in samples of 8 kHz.
fn samples_of(moment: Moment) -> i64 {
    (moment.as_micros() / 125) as i64
}
