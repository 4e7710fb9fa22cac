//! The playing side of `Playout`: when to begin, how to keep the depth at its target, how a frame is put together.
//! Packets come in through `playout` itself.

use super::{Frame, Playout, samples_of};
use crate::audio::FRAME_SAMPLES;
use crate::audio::jitter::MAX_TARGET;
use crate::audio::reorder::CAPACITY;
use crate::audio::stretch::{self, AHEAD, BEHIND};
use crate::clock::Moment;

/// Playing starts up to 1 ms before the target, so that ticks need not be exact.
const EARLY: i64 = 8;
/// The delay is corrected when it is this far above or below the target: 25 and 5 ms.
const TOO_DEEP: i64 = 200;
const TOO_SHALLOW: i64 = 40;
/// This far above the target it is corrected at every frame, fit or not: 100 ms.
const URGENT: i64 = 800;
/// Otherwise there are this many frames from one correction to the next.
const CORRECTION_PAUSE: u8 = 3;

impl Playout {
    /// Writes the next 20 ms. Call it once every 20 ms.
    pub fn next_frame(&mut self, now: Moment, out: &mut [i16; FRAME_SAMPLES]) -> Frame {
        let clock = samples_of(now);
        if self.waiting && !self.begins(clock) {
            return self.wait(out);
        }
        let depth = clock - self.line - self.target.floor();
        self.depth += (depth as f32 - self.depth) / 8.0;
        if self.correct_depth(depth, out) {
            return Frame::Voice;
        }
        self.assemble(out)
    }

    /// What is heard while waiting: what was there before fades away, unless the sender said that it pauses.
    fn wait(&mut self, out: &mut [i16; FRAME_SAMPLES]) -> Frame {
        if self.pause.is_none() && self.concealer.is_active() && !self.concealer.is_silent() {
            self.concealer.make_up(out);
            return Frame::Concealed;
        }
        self.fill_pause(out);
        Frame::Silence
    }

    /// While waiting: whether the next packet's time has come. Puts `line` there.
    fn begins(&mut self, clock: i64) -> bool {
        if self.mapping.is_none() {
            return false;
        }
        let floor = self.target.floor();
        let Some(gap) = self.store.gap(self.edge, CAPACITY) else {
            // In silence the line follows the clock at the target depth.
            self.line = self.line.max(clock - floor - self.wanted_depth());
            self.give_up_behind();
            return false;
        };
        let next = self.edge + gap as i64;
        let depth = clock - next - floor;
        if depth < self.wanted_depth() - EARLY {
            return false;
        }
        self.give_up_to(next);
        self.line = next;
        self.depth = depth as f32;
        self.waiting = false;
        true
    }

    /// Brings the depth towards its target. True if it has written the frame.
    fn correct_depth(&mut self, depth: i64, out: &mut [i16; FRAME_SAMPLES]) -> bool {
        let target = self.wanted_depth();
        let smooth = self.depth as i64;
        self.correction_pause = self.correction_pause.saturating_sub(1);
        if depth > MAX_TARGET + TOO_DEEP {
            self.concealer.cut();
            self.skip(depth - target);
            return false;
        }
        if smooth.min(depth) > target + TOO_DEEP {
            if let Some(gap @ 1..) = self.store.gap(self.line, CAPACITY) {
                // Nothing is lost by making a hole shorter.
                self.concealer.cut();
                self.skip((gap as i64).min(depth - target));
                return false;
            }
            let urgent = smooth > target + URGENT;
            return (urgent || self.correction_pause == 0) && self.shorten(urgent, out);
        }
        if smooth.max(depth) < target - TOO_SHALLOW && self.correction_pause == 0 {
            return self.lengthen(out);
        }
        false
    }

    fn shorten(&mut self, urgent: bool, out: &mut [i16; FRAME_SAMPLES]) -> bool {
        if self.concealer.is_active() || self.store.run(self.line, AHEAD) < AHEAD {
            return false;
        }
        let mut ahead = [0; AHEAD];
        self.decode(&mut ahead);
        let Some(left_out) = stretch::shorten(&ahead, urgent, out) else { return false };
        self.concealer.received(out);
        self.played(FRAME_SAMPLES + left_out);
        self.depth -= left_out as f32;
        self.correction_pause = CORRECTION_PAUSE;
        true
    }

    fn lengthen(&mut self, out: &mut [i16; FRAME_SAMPLES]) -> bool {
        if self.concealer.is_active() || self.store.run(self.line, FRAME_SAMPLES) < FRAME_SAMPLES {
            return false;
        }
        let mut signal = [0; BEHIND + FRAME_SAMPLES];
        let (behind, frame) = signal.split_at_mut(BEHIND);
        behind.copy_from_slice(&self.concealer.last::<BEHIND>());
        self.decode(frame);
        let Some(repeated) = stretch::lengthen(&signal, out) else { return false };
        self.concealer.received(out);
        self.played(FRAME_SAMPLES - repeated);
        self.depth += repeated as f32;
        self.correction_pause = CORRECTION_PAUSE;
        true
    }

    /// Builds a frame of what is there and of made-up audio for what is not.
    fn assemble(&mut self, out: &mut [i16; FRAME_SAMPLES]) -> Frame {
        let (mut filled, mut received) = (0, 0);
        while filled < FRAME_SAMPLES {
            let rest = &mut out[filled..];
            let run = self.store.run(self.line, rest.len());
            if run > 0 {
                let piece = &mut rest[..run];
                if self.pauses() {
                    self.pause = None;
                }
                let bridged = self.line < self.bridged_to;
                self.decode(piece);
                self.concealer.received(piece);
                self.played(run);
                (filled, received) = (filled + run, received + if bridged { 0 } else { run });
                continue;
            }
            let gap = self.store.gap(self.line, CAPACITY);
            if self.pauses() {
                let length = gap.unwrap_or(rest.len()).min(rest.len());
                self.play_pause(&mut rest[..length], gap.is_some());
                filled += length;
                continue;
            }
            if let Some(gap) = gap
                && self.bridge(gap)
            {
                continue;
            }
            let length = gap.unwrap_or(rest.len()).min(rest.len());
            let was_silent = self.concealer.is_silent();
            self.concealer.make_up(&mut rest[..length]);
            match gap {
                Some(_) => {
                    self.concealed += length as u64;
                    self.played(length);
                }
                None => {
                    self.undecided += if was_silent { 0 } else { length };
                    self.line += length as i64;
                    self.give_up_behind();
                    self.waiting = self.concealer.is_silent();
                }
            }
            filled += length;
        }
        match received {
            0 if self.concealer.is_silent() || self.waiting => Frame::Silence,
            0..80 => Frame::Concealed,
            _ => Frame::Voice,
        }
    }

    /// Whether the sender has said that it is silent now.
    fn pauses(&self) -> bool {
        self.pause.is_some_and(|from| self.line >= from)
    }

    /// The pause begins, or goes on until the next packet, which is there already if it `ends`.
    fn play_pause(&mut self, out: &mut [i16], ends: bool) {
        self.concealer.cut();
        self.fill_pause(out);
        self.concealer.received(out);
        if ends {
            self.played(out.len());
        } else {
            self.line += out.len() as i64;
            self.give_up_behind();
            self.waiting = true;
        }
    }

    /// What is heard while nothing is played: the noise the sender described or the codec knows of, else the line's.
    fn fill_pause(&mut self, out: &mut [i16]) {
        let pauses = self.pause.is_some();
        if let Some(noise) = self.noise.as_mut().filter(|_| pauses) {
            return noise.fill(out);
        }
        if !(pauses && self.decoding.as_mut().is_some_and(|decoding| decoding.pause(out))) {
            self.concealer.keep_quiet(out);
        }
    }

    /// Has the codec make up the `gap` samples before the next packet.
    fn bridge(&mut self, gap: usize) -> bool {
        let line = self.line;
        if !self.decoding.as_mut().is_some_and(|decoding| decoding.bridge(line)) {
            return false;
        }
        self.bridged_to = line + gap as i64;
        self.store.mark(line, self.bridged_to);
        self.concealed += gap as u64;
        true
    }

    fn decode(&mut self, out: &mut [i16]) {
        if let Some(decoding) = &mut self.decoding {
            return decoding.read(self.line, out);
        }
        let mut rest = out;
        for piece in self.store.pieces(self.line, rest.len()) {
            let (samples, after) = rest.split_at_mut(piece.len());
            self.law.decode_into(piece, samples);
            rest = after;
        }
    }

    /// `samples` from `line` on are done with.
    fn played(&mut self, samples: usize) {
        self.line += samples as i64;
        self.give_up_to(self.line);
    }

    fn skip(&mut self, samples: i64) {
        self.line += samples.max(0);
        self.give_up_to(self.line);
        self.depth -= samples.max(0) as f32;
    }
}
