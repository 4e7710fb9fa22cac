//! Is what comes in what was just said? Compares the caller's audio with the agent's own, for delays up to 340 ms.
//! Only tells how alike they are and how loud the echo is; what follows from it is decided in `call`.

use super::FRAME_SAMPLES;

/// Samples of 8 kHz audio in one of the 2 kHz ones compared here.
const DECIMATION: usize = 4;
/// Compared samples in a frame.
const STEP: usize = FRAME_SAMPLES / DECIMATION;
/// Delays looked at, 2 kHz samples: 0 to 340 ms.
const DELAYS: usize = 680;
/// What was said and may still come back, 2 kHz samples.
const KEPT: usize = DELAYS + STEP;
/// Room for the newest samples behind those: they are moved to the front once in so many frames.
const ROOM: usize = KEPT + 10 * STEP;
/// How much of the likeness so far counts beside the newest frame: some 200 ms are compared at a time, as two voices
/// of one pitch are alike for shorter than that.
const MEMORY: f32 = 0.9;
/// Likeness from which a frame is taken for echo.
const ALIKE: f32 = 0.55;
/// Likeness from which the echo's loudness is learnt.
const SURE: f32 = 0.75;
/// The loudest an echo is believed to be, dB: what is louder is a voice that happens to be like the agent's.
const LOUDEST_DB: f32 = -6.0;
/// How much louder than the echo is known to be a frame must be to hold something else, dB.
const ABOVE_ECHO_DB: f32 = 5.0;
/// How fast the echo's known loudness follows, per frame.
const LEARNING: f32 = 0.15;

/// Watches one call for its own voice coming back.
#[derive(Default)]
pub struct EchoWatch {
    /// Loudness of the echo against what was said, dB; `None` until one was heard.
    gain_db: Option<f32>,
    /// Only while something said may come back: most of a call's ticks have no use for it, and it is the larger part.
    said: Option<Box<Said>>,
}

/// What was said, and what of it was heard again. Fixed in size after construction.
struct Said {
    /// High-pass filtered, 2 kHz, oldest first; the last `KEPT` before `end`.
    samples: [f32; ROOM],
    end: usize,
    /// Likeness so far by delay, unscaled.
    likeness: [f32; DELAYS],
    /// Energy that `likeness` is to be measured by: what was heard, and by delay in whole frames what was said.
    heard_energy: f32,
    said_energy: [f32; DELAYS / STEP + 1],
    said_filter: HighPass,
    heard_filter: HighPass,
}

/// Takes the mean of four samples, and what is new in it: two voices are more alike in their lowest tones.
#[derive(Debug, Clone, Copy, Default)]
struct HighPass {
    last: f32,
}

// === impl EchoWatch ===

impl EchoWatch {
    /// The next 20 ms the agent said; to be told every tick while it speaks and 340 ms beyond.
    pub fn said(&mut self, frame: &[i16; FRAME_SAMPLES]) {
        self.said.get_or_insert_default().push(frame);
    }

    /// The 20 ms heard next after `said`. True if they hold nothing but echo.
    pub fn heard(&mut self, frame: &[i16; FRAME_SAMPLES]) -> bool {
        let Some(said) = &mut self.said else { return false };
        let Heard { likeness, gain_db, too_loud } = said.compare(frame);
        if likeness >= SURE && !too_loud {
            let gain_db = gain_db.min(LOUDEST_DB);
            let known = self.gain_db.unwrap_or(gain_db);
            self.gain_db = Some(known + (gain_db - known) * LEARNING);
        }
        (likeness >= ALIKE && !too_loud)
            || self.gain_db.is_some_and(|known| said.loudest() > 0.0 && gain_db < known + ABOVE_ECHO_DB)
    }

    /// Nothing that was said can come back any more.
    pub fn rest(&mut self) {
        self.said = None;
    }

    /// Loudness of the echo against what was said, dB, once there was one.
    pub fn gain_db(&self) -> Option<f32> {
        self.gain_db
    }
}

// === impl Said ===

/// A frame beside what was said.
struct Heard {
    /// At the delay at which the two are most alike.
    likeness: f32,
    gain_db: f32,
    /// No echo is this loud.
    too_loud: bool,
}

impl Said {
    fn push(&mut self, frame: &[i16; FRAME_SAMPLES]) {
        if self.end + STEP > ROOM {
            self.samples.copy_within(self.end - (KEPT - STEP)..self.end, 0);
            self.end = KEPT - STEP;
        }
        self.samples[self.end..self.end + STEP].copy_from_slice(&self.said_filter.push(frame));
        self.end += STEP;
    }

    fn compare(&mut self, frame: &[i16; FRAME_SAMPLES]) -> Heard {
        let heard = self.heard_filter.push(frame);
        let samples = &self.samples[self.end - KEPT..self.end];
        self.likeness.iter_mut().for_each(|sum| *sum *= MEMORY);
        // Sample by sample over all delays, so that the compiler can use vectors.
        for (at, sample) in heard.iter().enumerate() {
            let back = &samples[at + 1..=at + DELAYS];
            for (sum, said) in self.likeness.iter_mut().zip(back) {
                *sum += sample * said;
            }
        }
        let energy: f32 = heard.iter().map(|s| s * s).sum();
        self.heard_energy = self.heard_energy * MEMORY + energy;
        for (sum, frame) in self.said_energy.iter_mut().zip(samples.as_chunks::<STEP>().0) {
            *sum = *sum * MEMORY + frame.iter().map(|s| s * s).sum::<f32>();
        }
        let (place, peak) = self.peak();
        let said = self.said_energy.get((place + STEP / 2) / STEP).copied().unwrap_or(0.0);
        let scale = (self.heard_energy * said).sqrt();
        let said_then = samples[place + 1..=place + STEP].iter().map(|s| s * s).sum();
        Heard {
            likeness: if scale > 0.0 { peak / scale } else { 0.0 },
            gain_db: decibels(self.heard_energy, said),
            too_loud: decibels(energy, said_then) > LOUDEST_DB,
        }
    }

    fn peak(&self) -> (usize, f32) {
        let all = self.likeness.iter().map(|sum| sum.abs()).enumerate();
        all.fold((0, 0.0), |best, next| if next.1 > best.1 { next } else { best })
    }

    fn loudest(&self) -> f32 {
        self.said_energy.iter().copied().fold(0.0, f32::max)
    }
}

impl Default for Said {
    fn default() -> Self {
        Self {
            samples: [0.0; ROOM],
            end: KEPT,
            likeness: [0.0; DELAYS],
            heard_energy: 0.0,
            said_energy: [0.0; DELAYS / STEP + 1],
            said_filter: HighPass::default(),
            heard_filter: HighPass::default(),
        }
    }
}

/// How much more energy one has than the other.
fn decibels(energy: f32, than: f32) -> f32 {
    10.0 * ((energy + 1.0) / (than + 1.0)).log10()
}

// === impl HighPass ===

impl HighPass {
    fn push(&mut self, frame: &[i16; FRAME_SAMPLES]) -> [f32; STEP] {
        let mut out = [0.0; STEP];
        for (to, four) in out.iter_mut().zip(frame.as_chunks::<DECIMATION>().0) {
            let mean = four.iter().map(|s| f32::from(*s)).sum::<f32>() / DECIMATION as f32;
            *to = mean - 0.9 * self.last;
            self.last = mean;
        }
        out
    }
}
