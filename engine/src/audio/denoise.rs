//! Noise taken out of one side's speech, by RNNoise, which knows 48 kHz only: up, through it, down again.
//! Whether a call wants it is its agent's setting; what is recorded does not pass here.

use std::time::Duration;

use nnnoiseless::DenoiseState;

use super::FRAME_SAMPLES;

/// 48 kHz over 8 kHz.
const RATIO: usize = 6;
/// 20 ms at 48 kHz: two of RNNoise's frames.
const WIDE: usize = FRAME_SAMPLES * RATIO;
/// Taps of the filter that both ways share, at 48 kHz, and of one of its six phases.
const TAPS: usize = 96;
const PHASE_TAPS: usize = TAPS / RATIO;
/// Half its level is passed at this frequency: all of the telephone band (3.4 kHz), no mirror images of it (4.6 kHz).
const CUTOFF_HZ: f64 = 3900.0;

/// How far the output is behind the input: RNNoise's overlap of 10 ms, and 1 ms for each filter.
pub const DELAY: Duration = Duration::from_millis(12);

/// One side's noise suppression, [`DELAY`] behind its input. Fixed in size after construction.
pub struct NoiseSuppressor {
    rnnoise: Box<DenoiseState<'static>>,
    filter: [f32; TAPS],
    /// The last samples of the frame before, then the frame: at 8 kHz before, at 48 kHz after RNNoise.
    narrow: [f32; PHASE_TAPS - 1 + FRAME_SAMPLES],
    wide: [f32; TAPS - RATIO + WIDE],
}

// === impl NoiseSuppressor ===

impl NoiseSuppressor {
    pub fn new() -> Self {
        Self {
            rnnoise: DenoiseState::new(),
            filter: low_pass(),
            narrow: [0.0; PHASE_TAPS - 1 + FRAME_SAMPLES],
            wide: [0.0; TAPS - RATIO + WIDE],
        }
    }

    /// Takes the next 20 ms and gives them back without noise.
    pub fn process(&mut self, frame: &mut [i16; FRAME_SAMPLES]) {
        self.narrow.copy_within(FRAME_SAMPLES.., 0);
        for (to, from) in self.narrow[PHASE_TAPS - 1..].iter_mut().zip(frame.iter()) {
            *to = f32::from(*from);
        }
        let mut noisy = [0.0; WIDE];
        for (window, out) in self.narrow.windows(PHASE_TAPS).zip(noisy.chunks_exact_mut(RATIO)) {
            for (phase, out) in out.iter_mut().enumerate() {
                // The newest sample of the window meets the phase's first tap.
                let taps = self.filter[phase..].iter().step_by(RATIO);
                let sum: f32 = window.iter().rev().zip(taps).map(|(sample, tap)| sample * tap).sum();
                *out = sum * RATIO as f32;
            }
        }
        self.wide.copy_within(WIDE.., 0);
        let clean = &mut self.wide[TAPS - RATIO..];
        let both = clean.chunks_exact_mut(DenoiseState::FRAME_SIZE).zip(noisy.chunks_exact(DenoiseState::FRAME_SIZE));
        for (clean, noisy) in both {
            self.rnnoise.process_frame(clean, noisy);
        }
        for (window, out) in self.wide.windows(TAPS).step_by(RATIO).zip(frame) {
            let sum: f32 = window.iter().zip(&self.filter).map(|(sample, tap)| sample * tap).sum();
            // `as` saturates.
            *out = sum.round_ties_even() as i16;
        }
    }
}

impl Default for NoiseSuppressor {
    fn default() -> Self {
        Self::new()
    }
}

/// A sinc under a Hamming window; its taps sum up to 1.
fn low_pass() -> [f32; TAPS] {
    let middle = (TAPS - 1) as f64 / 2.0;
    let taps: [f64; TAPS] = std::array::from_fn(|n| {
        let t = (n as f64 - middle) * 2.0 * CUTOFF_HZ / 48_000.0 * std::f64::consts::PI;
        let x = std::f64::consts::TAU * n as f64 / (TAPS - 1) as f64;
        t.sin() / t * (0.54 - 0.46 * x.cos())
    });
    let sum: f64 = taps.iter().sum();
    taps.map(|tap| (tap / sum) as f32)
}
