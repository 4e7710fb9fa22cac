//! The caller makes a sound while the agent speaks: an interruption, or a word in passing, a cough, a noise?
//! The agent is held meanwhile; what becomes of its sentence is the conversation's business.

use std::time::Duration;

use crate::audio::FRAME_MS;
use crate::clock::Moment;

/// Speech that is long enough to mean it: longer than "okay" or "mm-hm" with the voice detector's edges.
const MEANT: Duration = Duration::from_millis(520);

/// Share of the time from first to last voiced frame that must be voiced, percent; bursts of noise are less.
const MEANT_VOICED_PERCENT: u32 = 55;

/// Share of the voiced frames that must have a pitch, percent; a cough has none.
const MEANT_PITCHED_PERCENT: u32 = 20;

/// Silence after which a sound is over that was too short to be meant.
const OVER_AFTER: Duration = Duration::from_millis(400);

/// Longest doubt; then the agent goes on.
const LONGEST_DOUBT: Duration = Duration::from_millis(1500);

/// What the sound turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Undecided,
    /// The caller has something to say.
    Interruption,
    /// It was nothing, or a word in passing.
    InPassing,
}

/// A sound of the caller's over the agent's voice, being weighed.
#[derive(Debug, Clone, Copy)]
pub struct Overlap {
    began: Moment,
    last_voiced: Moment,
    voiced_frames: u32,
    pitched_frames: u32,
}

// === impl Overlap ===

impl Overlap {
    /// The sound began `voiced_frames` voiced frames ago.
    pub fn new(now: Moment, voiced_frames: u32) -> Self {
        let before = u64::from(voiced_frames * FRAME_MS) * 1000;
        Self { began: Moment(now.0.saturating_sub(before)), last_voiced: now, voiced_frames, pitched_frames: 0 }
    }

    /// One more frame of the caller's.
    pub fn push(&mut self, now: Moment, voiced: bool, pitched: bool) -> Verdict {
        if voiced {
            self.last_voiced = now;
            self.voiced_frames += 1;
            self.pitched_frames += u32::from(pitched);
        }
        let span = self.last_voiced.since(self.began) + Duration::from_millis(FRAME_MS.into());
        let frames = span.as_millis() as u32 / FRAME_MS;
        let dense = self.voiced_frames * 100 >= frames * MEANT_VOICED_PERCENT;
        let pitched = self.pitched_frames * 100 >= self.voiced_frames * MEANT_PITCHED_PERCENT;
        if span >= MEANT && dense && pitched {
            Verdict::Interruption
        } else if now.since(self.last_voiced) >= OVER_AFTER || now.since(self.began) >= LONGEST_DOUBT {
            Verdict::InPassing
        } else {
            Verdict::Undecided
        }
    }
}
