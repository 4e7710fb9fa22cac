//! Pure audio for one call: codecs, jitter buffer, concealment, voice detection, DTMF, resampling, quality.
//! No socket and no clock here; packets come parsed from `rtp` and time is handed in as `Moment`.

pub(crate) mod background;
pub mod codec;
pub mod denoise;
pub mod dtmf;
pub mod dtmf_tones;
pub mod echo;
pub mod g711;
pub mod level;
pub mod pitch;
pub mod playout;
pub mod quality;
pub mod resample;
pub mod ringback;
pub mod vad;

mod conceal;
mod decimate;
mod jitter;
mod line_noise;
mod lowest;
mod products;
mod reorder;
mod sequence;
mod stretch;

#[cfg(test)]
mod tests;

/// Samples in one 20 ms frame at 8 kHz.
pub const FRAME_SAMPLES: usize = 160;
/// Sample rate of the telephone network, Hz.
pub const SAMPLE_RATE_HZ: u32 = 8000;
/// Length of one frame, ms.
pub const FRAME_MS: u32 = 20;
