//! How loud it is behind the caller, noise and other people's voices alike, and whether somebody stands out from it.
//! The floor that opens the voice detector's gate is `vad`'s; what it means for the conversation is decided in `call`.

use super::lowest::Lowest;
use super::vad::SILENCE_DBOV;

/// How fast the mean level follows, per frame: a time constant of 150 ms, a syllable.
const RATE: f32 = 0.125;

/// Half seconds of which the quietest moment counts: babble swells and fades over seconds.
const HALF_SECONDS: usize = 12;

/// So much louder than that somebody is who is near, dB.
const STANDS_OUT_DB: f32 = 4.0;

/// Follows the mean level of what is heard.
#[derive(Debug, Clone)]
pub struct Background {
    /// Mean power, relative to digital overload; 0 before anything was heard.
    mean: f32,
    lowest: Lowest<HALF_SECONDS>,
}

// === impl Background ===

impl Background {
    pub const fn new() -> Self {
        Self { mean: 0.0, lowest: Lowest::new() }
    }

    /// Takes the level of the next frame, dBov.
    pub fn follow(&mut self, level_dbov: f32) {
        // Nothing was received yet. Later, silence is a quiet room, or a sender that sends only what is loud.
        if level_dbov <= SILENCE_DBOV && self.mean == 0.0 {
            return;
        }
        let power = 10f32.powf(level_dbov / 10.0);
        self.mean = if self.mean == 0.0 { power } else { self.mean + (power - self.mean) * RATE };
        self.lowest.push(self.mean_dbov());
    }

    /// Whether what is heard now is louder than what is behind the caller.
    pub fn is_exceeded(&self) -> bool {
        self.mean_dbov() >= self.lowest.get() + STANDS_OUT_DB
    }

    /// How loud it is now, dBov.
    pub fn mean_dbov(&self) -> f32 {
        10.0 * self.mean.log10()
    }
}
