//! How loud the other side was over a call: whether it was ever heard at all, and whether it is overdriven.
//! The level of one frame is `vad`'s; what a bad level means for the call is decided in `call`.

use super::FRAME_SAMPLES;
use super::vad::{SILENCE_DBOV, level_dbov};

/// Below this no line with a person at its end stays, dBov: a quiet room is at -60, the last step of mu-law at -72.
const SILENT_DBOV: f32 = -70.0;
/// From here on a frame is loud enough to be clipped, dBov.
const LOUD_DBOV: f32 = -20.0;
/// The last step of both laws begins below this; linear codecs clip above it.
const FULL_SCALE: u16 = 31_600;
/// Samples at full scale in a frame that make it clipped: single peaks are nobody's harm.
const CLIPPED_SAMPLES: usize = 4;
/// Clipped frames (1 s), and their share of the loud ones, that are heard as distortion.
const CLIPPED_FRAMES: u32 = 50;
const CLIPPED_PERCENT: u32 = 10;

/// Levels of one side of a call.
#[derive(Debug, Clone)]
pub struct LevelMeter {
    frames: u32,
    loud: u32,
    clipped: u32,
    loudest_dbov: f32,
}

impl LevelMeter {
    pub const fn new() -> Self {
        Self { frames: 0, loud: 0, clipped: 0, loudest_dbov: SILENCE_DBOV }
    }

    /// Takes a frame that was heard.
    pub fn push(&mut self, frame: &[i16; FRAME_SAMPLES]) {
        let level_dbov = level_dbov(frame);
        self.frames = self.frames.saturating_add(1);
        self.loudest_dbov = self.loudest_dbov.max(level_dbov);
        if level_dbov < LOUD_DBOV {
            return;
        }
        self.loud += 1;
        let full = frame.iter().filter(|sample| sample.unsigned_abs() >= FULL_SCALE).count();
        self.clipped += u32::from(full >= CLIPPED_SAMPLES);
    }

    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Level of the loudest frame, dBov.
    pub fn loudest_dbov(&self) -> f32 {
        self.loudest_dbov
    }

    /// Nothing was ever heard.
    pub fn is_silence(&self) -> bool {
        self.loudest_dbov < SILENT_DBOV
    }

    /// Share of the loud frames that are clipped.
    pub fn clipped_percent(&self) -> u32 {
        (self.clipped * 100).checked_div(self.loud).unwrap_or(0)
    }

    /// Enough is clipped to be heard.
    pub fn is_clipped(&self) -> bool {
        self.clipped >= CLIPPED_FRAMES && self.clipped_percent() >= CLIPPED_PERCENT
    }
}

impl Default for LevelMeter {
    fn default() -> Self {
        Self::new()
    }
}
