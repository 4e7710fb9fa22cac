//! When somebody is speaking, by energy alone: 20 ms frames in, starts and ends of speech out.
//! Good for synthetic and recorded voices on a clean line; the engine's own detector is another one on purpose.

#[cfg(test)]
mod tests;

use engine::clock::Moment;

/// Frames louder than this are voice. Agents send digital silence between utterances; flite's own
/// pauses lie below -60 dBov, its quietest voiced frames above -40.
const VOICED_DBOV: f32 = -45.0;
/// Frames in a row that make a start; a lone loud frame is a click.
const FRAMES_TO_START: u32 = 2;
/// Silent frames in a row that make an end: 200 ms, longer than the closure of a plosive.
const FRAMES_TO_END: u32 = 10;

/// What a frame changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Speech began with the frame that arrived at `at`.
    Started { at: Moment },
    /// Speech is over; its last voiced frame arrived at `last`.
    Ended { last: Moment },
}

/// Finds speech in a stream of frames. Allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct SpeechFinder {
    speaking: bool,
    /// Frames in a row that speak against the current state.
    contrary: u32,
    began: Moment,
    last_voiced: Moment,
}

// === impl SpeechFinder ===

impl SpeechFinder {
    pub fn push(&mut self, at: Moment, frame: &[i16]) -> Option<Change> {
        let voiced = is_voiced(frame);
        if voiced {
            self.last_voiced = at;
        }
        if voiced == self.speaking {
            self.contrary = 0;
            return None;
        }
        self.contrary += 1;
        if self.contrary == 1 {
            self.began = at;
        }
        if self.speaking && self.contrary == FRAMES_TO_END {
            self.speaking = false;
            self.contrary = 0;
            return Some(Change::Ended { last: self.last_voiced });
        }
        if !self.speaking && self.contrary == FRAMES_TO_START {
            self.speaking = true;
            self.contrary = 0;
            return Some(Change::Started { at: self.began });
        }
        None
    }
}

pub fn is_voiced(frame: &[i16]) -> bool {
    level_dbov(frame) > VOICED_DBOV
}

/// RMS level relative to a full-scale square wave, dBov; silence and an empty frame are -127 (RFC 6464).
pub fn level_dbov(frame: &[i16]) -> f32 {
    let energy: f64 = frame.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    if energy == 0.0 {
        return -127.0;
    }
    let mean = energy / frame.len() as f64;
    (10.0 * (mean / (32_768.0 * 32_768.0)).log10()) as f32
}
