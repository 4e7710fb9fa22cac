//! Clients' audio as bytes ↔ the call's own, µ-law at 8000 Hz: the other law, and linear samples at any rate.
//! Names of formats are the dialects'; how audio is framed on its way in is the session's.

use std::collections::VecDeque;

use super::dialect::Unusable;
use crate::audio::FRAME_SAMPLES;
use crate::audio::g711::Law;
use crate::audio::resample::Resampler;
use crate::call::LawFrame;

/// The call's own law.
const OURS: Law = Law::Mu;

/// Rates linear audio may have, Hz: 20 ms of each are whole samples.
const RATES_HZ: [u32; 10] = [8000, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 64_000, 96_000, 192_000];

/// Silence put before the first frame, as a part of a frame: more than the filter holds back, so that each frame of the
/// call is one of the client's.
const HELD_BACK: usize = 4;

/// One side's format.
pub enum AudioFormat {
    Law(Law),
    Linear(Box<Linear>),
}

/// 16 bit, little-endian, mono.
pub struct Linear {
    rate_hz: u32,
    down: Resampler,
    up: Resampler,
    /// Half a sample that waits for its other half.
    odd: Option<u8>,
    /// Samples on their way to the client.
    waiting: VecDeque<i16>,
    scratch: Vec<i16>,
}

// === impl AudioFormat ===

impl AudioFormat {
    /// Linear samples at this rate.
    ///
    /// # Errors
    /// [`Unusable`] naming a rate that is not spoken.
    pub fn linear(rate_hz: u32) -> Result<Self, Unusable> {
        let resampler = |from, to| Resampler::new(from, to).map_err(|error| Unusable(error.to_string()));
        if !RATES_HZ.contains(&rate_hz) {
            return Err(Unusable(format!("linear audio at {rate_hz} Hz is not spoken here, only at {RATES_HZ:?}")));
        }
        let held_back = if rate_hz == 8000 { 0 } else { frame_samples(rate_hz) / HELD_BACK };
        Ok(Self::Linear(Box::new(Linear {
            rate_hz,
            down: resampler(rate_hz, 8000)?,
            up: resampler(8000, rate_hz)?,
            odd: None,
            waiting: VecDeque::from(vec![0; held_back]),
            scratch: Vec::new(),
        })))
    }

    /// The client's bytes as the call's.
    pub fn hear(&mut self, audio: &[u8]) -> Vec<u8> {
        match self {
            Self::Law(law) if *law == OURS => audio.to_vec(),
            Self::Law(law) => audio.iter().map(|byte| OURS.encode(law.decode(*byte))).collect(),
            Self::Linear(linear) => linear.hear(audio),
        }
    }

    /// The call's 20 ms as the client's bytes: 20 ms too.
    pub fn say(&mut self, frame: &LawFrame) -> Vec<u8> {
        match self {
            Self::Law(law) if *law == OURS => frame.to_vec(),
            Self::Law(law) => frame.iter().map(|byte| law.encode(OURS.decode(*byte))).collect(),
            Self::Linear(linear) => linear.say(frame),
        }
    }
}

// === impl Linear ===

impl Linear {
    fn hear(&mut self, audio: &[u8]) -> Vec<u8> {
        let bytes: Vec<u8> = self.odd.take().into_iter().chain(audio.iter().copied()).collect();
        let (samples, odd) = bytes.as_chunks::<2>();
        self.odd = odd.first().copied();
        let samples: Vec<i16> = samples.iter().map(|sample| i16::from_le_bytes(*sample)).collect();
        self.scratch.clear();
        self.down.process(&samples, &mut self.scratch);
        self.scratch.iter().map(|sample| OURS.encode(*sample)).collect()
    }

    fn say(&mut self, frame: &LawFrame) -> Vec<u8> {
        let mut samples = [0; FRAME_SAMPLES];
        OURS.decode_into(frame, &mut samples);
        self.scratch.clear();
        self.up.process(&samples, &mut self.scratch);
        self.waiting.extend(&self.scratch);
        let due = frame_samples(self.rate_hz);
        (0..due).flat_map(|_| self.waiting.pop_front().unwrap_or(0).to_le_bytes()).collect()
    }
}

/// Samples of 20 ms.
fn frame_samples(rate_hz: u32) -> usize {
    rate_hz as usize / 50
}

#[cfg(test)]
mod tests;
