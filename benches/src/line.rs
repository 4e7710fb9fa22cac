//! A line: packets into the jitter buffer, frames out of it.
//! The whole call around it is `running`.

use std::hint::black_box;

use engine::audio::FRAME_SAMPLES;
use engine::audio::g711::Law;
use engine::audio::playout::Playout;
use engine::clock::Moment;
use engine::rtp::RtpPacket;

use crate::SPEECH;

/// A jitter buffer that is fed a sentence.
pub struct Line {
    playout: Playout,
    /// Every packet of this number never comes.
    lose: usize,
    n: usize,
    out: [i16; FRAME_SAMPLES],
}

// === impl Line ===

impl Line {
    pub fn new(lose: usize) -> Self {
        Self { playout: Playout::new(Law::Mu.into()), lose, n: 0, out: [0; FRAME_SAMPLES] }
    }

    /// One packet in, one frame out.
    pub fn step(&mut self) {
        self.n += 1;
        let now = Moment::from_millis(self.n as u64 * 20);
        if !self.n.is_multiple_of(self.lose) {
            let at = self.n * FRAME_SAMPLES % (SPEECH.len() - FRAME_SAMPLES);
            let packet = RtpPacket {
                marker: false,
                payload_type: 0,
                sequence: self.n as u16,
                timestamp: (self.n as u32).wrapping_mul(FRAME_SAMPLES as u32),
                ssrc: 1,
                payload: &SPEECH[at..at + FRAME_SAMPLES],
            };
            black_box(self.playout.insert(now, &packet));
        }
        black_box(self.playout.next_frame(now, &mut self.out));
    }
}
