//! Is the caller speaking? An energy gate over a tracked noise floor, with a neural detector behind it.
//! What speech means for the conversation (turns, barge-in) is decided in `call`.

use super::FRAME_SAMPLES;
use super::lowest::Lowest;
use super::products::energy;
use super::resample::Upsampler;
use earshot::Detector;

/// What one 20 ms frame holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Voice {
    /// Somebody speaks.
    pub voiced: bool,
    /// RMS level, dB relative to digital overload; -96 for digital silence.
    pub level_dbov: f32,
}

/// When a frame counts as voiced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// The gate never opens below this level, dBov.
    pub quietest_dbov: f32,
    /// The gate opens this far above the noise floor, dB.
    pub above_floor_db: f32,
    /// The gate stays open this long after the last loud frame, 20 ms frames.
    pub hang_frames: u32,
    /// Detector score (0 to 1) from which speech begins.
    pub voice_on: f32,
    /// Detector score below which speech ends.
    pub voice_off: f32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { quietest_dbov: -55.0, above_floor_db: 6.0, hang_frames: 10, voice_on: 0.5, voice_off: 0.35 }
    }
}

/// Earshot's window: 16 ms at 16 kHz.
const WINDOW: usize = 256;
/// 20 ms at 16 kHz.
const UPSAMPLED: usize = 2 * FRAME_SAMPLES;
/// Frames from before the gate opened that warm the detector up. With three, quiet speech is seen 20 ms later.
const WARM_UP: usize = 6;

/// Frames over which a level that does not move at all is a tone (ringback, busy, a key), and how little that is, dB.
/// Earshot alone takes tones for voice.
const TONE_FRAMES: usize = 5;
const TONE_RANGE_DB: f32 = 0.3;

/// Frames for which the gate has been closed after which the neural detector is let go of (2 s): it takes nearly as much
/// memory as the rest of a call, and half of the time nobody speaks.
const LET_GO_AFTER: u32 = 100;

/// One caller's voice detector.
pub struct VoiceDetector {
    thresholds: Thresholds,
    floor: NoiseFloor,
    /// Made when the gate opens: a quiet line needs none.
    neural: Option<Box<Neural>>,
    /// Frames since the gate closed.
    closed_for: u32,
    /// The last frames while the gate was closed, and the place of the oldest.
    before: [KeptFrame; WARM_UP],
    oldest: usize,
    /// Frames the gate stays open for.
    open_for: u32,
    /// Newest first, dBov.
    levels: [f32; TONE_FRAMES],
    voiced: bool,
    score: f32,
}

/// A frame in half of its memory: eight bits of each sample, as many places up as the loudest one takes.
#[derive(Clone, Copy)]
struct KeptFrame {
    shift: u32,
    highest: [i8; FRAME_SAMPLES],
}

/// Earshot, which takes 16 kHz.
struct Neural {
    detector: Detector,
    upsampler: Upsampler,
    /// 16 kHz samples that are not a whole window yet.
    pending: [i16; WINDOW],
    pending_length: usize,
}

impl VoiceDetector {
    pub fn new() -> Self {
        Self::with_thresholds(Thresholds::default())
    }

    pub fn with_thresholds(thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            floor: NoiseFloor::new(),
            neural: None,
            closed_for: 0,
            before: [KeptFrame::SILENCE; WARM_UP],
            oldest: 0,
            open_for: 0,
            levels: [SILENCE_DBOV; TONE_FRAMES],
            voiced: false,
            score: 0.0,
        }
    }

    /// Takes the next 20 ms.
    pub fn push(&mut self, frame: &[i16; FRAME_SAMPLES]) -> Voice {
        let level_dbov = level_dbov(frame);
        let opens_at = self.opens_at_dbov();
        let hang = if self.floor.is_known() { self.thresholds.hang_frames } else { HANG_AT_FIRST };
        self.floor.follow(level_dbov);
        self.levels.rotate_right(1);
        self.levels[0] = level_dbov;
        let was_open = self.open_for > 0;
        if level_dbov >= opens_at {
            self.open_for = hang;
        } else {
            self.open_for = self.open_for.saturating_sub(1);
        }
        if self.open_for == 0 {
            self.voiced = false;
            self.score = 0.0;
            self.before[self.oldest] = KeptFrame::of(frame);
            self.oldest = (self.oldest + 1) % WARM_UP;
            self.closed_for = self.closed_for.saturating_add(1);
            if self.closed_for == LET_GO_AFTER {
                self.neural = None;
            }
            return Voice { voiced: false, level_dbov };
        }
        if !was_open {
            self.warm_up();
        }
        self.closed_for = 0;
        self.listen(frame);
        let enough = if self.voiced { self.thresholds.voice_off } else { self.thresholds.voice_on };
        self.voiced = self.score >= enough && !self.is_tone();
        Voice { voiced: self.voiced, level_dbov }
    }

    /// Whether the energy gate is open: the detector runs only then.
    pub fn gate_is_open(&self) -> bool {
        self.open_for > 0
    }

    /// The level from which the gate opens, above the line's own noise, dBov.
    pub fn opens_at_dbov(&self) -> f32 {
        (self.floor.dbov() + self.thresholds.above_floor_db).max(self.thresholds.quietest_dbov)
    }

    /// The tracked level of the line's own noise, dBov.
    pub fn noise_floor_dbov(&self) -> f32 {
        self.floor.dbov()
    }

    fn is_tone(&self) -> bool {
        let highest = self.levels.iter().copied().fold(f32::MIN, f32::max);
        let lowest = self.levels.iter().copied().fold(f32::MAX, f32::min);
        highest - lowest < TONE_RANGE_DB
    }

    fn warm_up(&mut self) {
        self.neural.get_or_insert_default().begin();
        let mut before = self.before;
        before.rotate_left(self.oldest);
        for frame in &before {
            self.listen(&frame.samples());
        }
    }

    fn listen(&mut self, frame: &[i16; FRAME_SAMPLES]) {
        if let Some(score) = self.neural.as_mut().and_then(|neural| neural.detect(frame)) {
            self.score = score;
        }
    }
}

// === impl KeptFrame ===

impl KeptFrame {
    const SILENCE: Self = Self { shift: 0, highest: [0; FRAME_SAMPLES] };

    fn of(frame: &[i16; FRAME_SAMPLES]) -> Self {
        let bits = u16::BITS - frame.iter().fold(0, |bits, sample| bits | sample.unsigned_abs()).leading_zeros();
        let shift = bits.saturating_sub(i8::BITS - 1);
        Self { shift, highest: frame.map(|sample| (sample >> shift) as i8) }
    }

    fn samples(&self) -> [i16; FRAME_SAMPLES] {
        self.highest.map(|sample| i16::from(sample) << self.shift)
    }
}

// === impl Neural ===

impl Neural {
    /// What comes does not follow what was heard before.
    fn begin(&mut self) {
        self.detector.reset();
        self.pending_length = 0;
    }

    /// Runs earshot over the windows that this frame completes; the last one's score.
    fn detect(&mut self, frame: &[i16; FRAME_SAMPLES]) -> Option<f32> {
        let mut score = None;
        let mut samples = [0; UPSAMPLED];
        self.upsampler.process(frame, &mut samples);
        let mut rest: &[i16] = &samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(WINDOW - self.pending_length));
            self.pending[self.pending_length..self.pending_length + now.len()].copy_from_slice(now);
            self.pending_length += now.len();
            rest = later;
            if self.pending_length == WINDOW {
                score = Some(self.detector.predict_i16(&self.pending));
                self.pending_length = 0;
            }
        }
        score
    }
}

impl Default for Neural {
    fn default() -> Self {
        Self { detector: Detector::default(), upsampler: Upsampler::new(), pending: [0; WINDOW], pending_length: 0 }
    }
}

impl Default for VoiceDetector {
    fn default() -> Self {
        Self::new()
    }
}

/// The quietest level of the last 1.5 to 2 s: speech has gaps shorter than that, noise has not.
#[derive(Debug, Clone)]
struct NoiseFloor {
    lowest: Lowest<4>,
}

/// So much must be heard before the floor is believed: 100 ms.
const FIRST_FRAMES: u32 = 5;
/// How long the gate stays open before that, frames.
const HANG_AT_FIRST: u32 = 2;
/// The floor is never taken to be lower than this, nor before anything was heard, dBov.
const LOWEST_FLOOR: f32 = -70.0;

impl NoiseFloor {
    const fn new() -> Self {
        Self { lowest: Lowest::new() }
    }

    fn follow(&mut self, level_dbov: f32) {
        // Digital silence is a sender that says nothing, not a quiet line.
        if level_dbov > SILENCE_DBOV {
            self.lowest.push(level_dbov);
        }
    }

    fn is_known(&self) -> bool {
        self.lowest.frames() >= FIRST_FRAMES
    }

    fn dbov(&self) -> f32 {
        if self.is_known() { self.lowest.get().max(LOWEST_FLOOR) } else { LOWEST_FLOOR }
    }
}

/// What `level_dbov` gives for digital silence.
pub const SILENCE_DBOV: f32 = -96.0;

/// RMS level of samples, dB relative to digital overload; -96 for digital silence.
pub fn level_dbov(samples: &[i16]) -> f32 {
    let energy = energy(samples);
    if energy == 0 || samples.is_empty() {
        return SILENCE_DBOV;
    }
    let mean = energy as f32 / samples.len() as f32;
    (10.0 * (mean / (32_768.0 * 32_768.0)).log10()).max(SILENCE_DBOV)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_frame_is_the_same_to_the_eighth_bit_of_its_loudest_sample() {
        for loudest in [0, 1, 127, 128, 1000, i16::MAX, i16::MIN] {
            let mut frame: [i16; FRAME_SAMPLES] = std::array::from_fn(|at| loudest / (at as i16 + 1));
            frame[80] = loudest;
            let kept = KeptFrame::of(&frame).samples();
            let step = (i32::from(loudest).abs() / 64).max(1);
            for (kept, sample) in kept.into_iter().zip(frame) {
                assert!((i32::from(kept) - i32::from(sample)).abs() < step, "{kept} for {sample} beside {loudest}");
            }
        }
    }
}
