//! The audio code against its standards, part by part.
//! The jitter buffer behind bad networks is in the crate's `tests/jitter_buffer.rs`.

mod background;
mod conceal;
mod denoise;
mod dtmf;
mod dtmf_tones;
mod g711;
mod jitter;
mod quality;
mod resample;
mod ringback;
mod vad;

/// Sample `n` of a sine wave at 8 kHz.
fn sine(hz: f64, peak: f64, n: usize) -> i16 {
    (peak * (n as f64 * hz * std::f64::consts::TAU / 8000.0).sin()) as i16
}
