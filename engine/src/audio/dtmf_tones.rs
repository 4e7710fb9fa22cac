//! DTMF digits as tones in the audio (ITU-T Q.23): a detector that speech does not set off, and a generator.
//! Digits as RTP events are `dtmf`'s; which of the two a call listens to is decided in `call`.

use super::dtmf::{Digit, KEYS_BY_TONES};
use super::{FRAME_SAMPLES, SAMPLE_RATE_HZ};

/// Low group (a row of the keypad) and high group (a column), Hz.
const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

/// Samples that are looked at together, 12.75 ms: two whole blocks fit into the shortest tone (40 ms), and the filters
/// are 78 Hz wide, so that tones off by 1.5 % are still theirs.
const BLOCK: usize = 102;
/// Sum of squares that each tone must reach: -29 dBm0 over a block. Q.24 asks for -25, and lines lose some more.
/// (A full-scale sine is +3.17 dBm0, and its RMS 3.01 dB below overload: -29 dBm0 are -35.2 dBov.)
const QUIETEST: f32 = 3.03e-4 * 32_768.0 * 32_768.0 * BLOCK as f32;
/// The stronger tone of the two may be so much stronger (8 dB, Q.24: 4 to 8).
const TWIST: f32 = 6.3;
/// A tone must be so much stronger than the others of its group (6 dB); their leakage is 10 dB down.
const OTHERS: f32 = 4.0;
/// Energy at twice a tone's frequency, at most (-10 dB): voices have harmonics, keypads have not.
const HARMONIC: f32 = 0.1;
/// A row's second harmonic this close to the column's tone cannot be told from it, Hz.
const BESIDE: f32 = 150.0;
/// Energy that is neither tone: at most so much of all (a tone off by 1.5 % leaks a fifth), or so much of the line's
/// own noise, and never more than half. Vowels fail here: they have energy elsewhere, and the line is quiet before.
const UNEXPLAINED: f32 = 0.32;
const TIMES_NOISE: f32 = 3.0;
const MOST_UNEXPLAINED: f32 = 0.5;
/// Blocks in a row that make a digit, and without it that end it: two, or three while something as loud goes on (a
/// dropout of the line).
const HITS: u8 = 2;
const QUIET_MISSES: u8 = 2;
const MISSES: u8 = 3;
/// Blocks in half a second, over which the line's noise is the quietest one.
const NOISE_BLOCKS: u8 = 40;

/// Length a digit is sent for, and the pause after it, frames of 20 ms: Q.24 wants 40 ms, networks like 100.
const SENT_FRAMES: u8 = 5;
/// Level of the low tone, peak amplitude: -9 dBm0. The high tone is 2 dB stronger, as lines weaken it.
const LOW_PEAK: f32 = 7910.0;
const HIGH_PEAK: f32 = 9960.0;
/// Tones rise and fall over 2 ms, so that they do not click.
const RAMP: usize = 16;

/// Hears digits in one side's audio.
#[derive(Debug, Clone)]
pub struct ToneDetector {
    block: [f32; BLOCK],
    filled: usize,
    /// Energy of the quietest block without a digit, of this half second and the three before.
    quietest: [f32; 4],
    blocks: u8,
    /// What the last blocks hold, and how many of them.
    heard: Option<usize>,
    hits: u8,
    /// The digit that is being pressed.
    pressed: Option<Pressed>,
}

#[derive(Debug, Clone, Copy)]
struct Pressed {
    key: usize,
    energy: f32,
    blocks: u32,
    misses: u8,
}

// === impl ToneDetector ===

impl ToneDetector {
    pub const fn new() -> Self {
        Self {
            block: [0.0; BLOCK],
            filled: 0,
            quietest: [f32::INFINITY; 4],
            blocks: 0,
            heard: None,
            hits: 0,
            pressed: None,
        }
    }

    /// Takes the next 20 ms. A digit comes out when it is released.
    pub fn push(&mut self, frame: &[i16; FRAME_SAMPLES]) -> Option<Digit> {
        let mut digit = None;
        for sample in frame {
            self.block[self.filled] = f32::from(*sample);
            self.filled += 1;
            if self.filled == BLOCK {
                self.filled = 0;
                // Two digits cannot end within 20 ms.
                digit = self.next_block().or(digit);
            }
        }
        digit
    }

    fn next_block(&mut self) -> Option<Digit> {
        let energy: f32 = self.block.iter().map(|sample| sample * sample).sum();
        let noise = self.quietest.iter().copied().fold(f32::INFINITY, f32::min);
        let key = key_in(&self.block, energy, if noise.is_finite() { noise } else { 0.0 });
        self.follow_noise(key, energy);
        if let Some(pressed) = self.pressed.as_mut() {
            if key == Some(pressed.key) {
                pressed.blocks += u32::from(pressed.misses) + 1;
                pressed.misses = 0;
                return None;
            }
            pressed.misses += 1;
            let needed = if energy < pressed.energy / 4.0 { QUIET_MISSES } else { MISSES };
            if pressed.misses < needed {
                return None;
            }
            let duration_ms = pressed.blocks * BLOCK as u32 * 1000 / SAMPLE_RATE_HZ;
            let digit = Digit { char: *KEYS_BY_TONES.get(pressed.key)?, duration_ms };
            self.pressed = None;
            (self.heard, self.hits) = (key, u8::from(key.is_some()));
            return Some(digit);
        }
        self.hits = if key.is_some() && key == self.heard { self.hits + 1 } else { u8::from(key.is_some()) };
        self.heard = key;
        if let Some(key) = key.filter(|_| self.hits >= HITS) {
            self.pressed = Some(Pressed { key, energy, blocks: u32::from(HITS), misses: 0 });
        }
        None
    }

    fn follow_noise(&mut self, key: Option<usize>, energy: f32) {
        if self.blocks == NOISE_BLOCKS {
            self.blocks = 0;
            self.quietest.rotate_right(1);
            self.quietest[0] = f32::INFINITY;
        }
        self.blocks += 1;
        if key.is_none() {
            self.quietest[0] = self.quietest[0].min(energy);
        }
    }
}

impl Default for ToneDetector {
    fn default() -> Self {
        Self::new()
    }
}

/// The key whose two tones, and little else, make up the block: 4 times its row plus its column.
fn key_in(block: &[f32; BLOCK], energy: f32, noise: f32) -> Option<usize> {
    if energy < 2.0 * QUIETEST {
        return None;
    }
    let [r0, r1, r2, r3] = ROWS;
    let [c0, c1, c2, c3] = COLUMNS;
    let energies = energies_at(block, &[r0, r1, r2, r3, c0, c1, c2, c3]);
    let (rows, columns) = energies.split_at(4);
    let (row, low) = strongest(rows)?;
    let (column, high) = strongest(columns)?;
    let unexplained = energy - low - high;
    let plausible = low.min(high) >= QUIETEST
        && low.max(high) <= low.min(high) * TWIST
        && unexplained <= energy * MOST_UNEXPLAINED
        && unexplained <= (energy * UNEXPLAINED).max(noise * TIMES_NOISE);
    if !plausible {
        return None;
    }
    let (low_hz, high_hz) = (*ROWS.get(row)?, *COLUMNS.get(column)?);
    let [low_second, high_second] = energies_at(block, &[2.0 * low_hz, 2.0 * high_hz]);
    let row_has_harmonic = (2.0 * low_hz - high_hz).abs() > BESIDE && low_second > low * HARMONIC;
    (!row_has_harmonic && high_second <= high * HARMONIC).then_some(row * 4 + column)
}

/// The strongest of a group, if it stands out.
fn strongest(group: &[f32]) -> Option<(usize, f32)> {
    let (at, most) = group.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    group.iter().enumerate().all(|(other, energy)| other == at || energy * OTHERS <= most).then_some((at, most))
}

/// Goertzel's algorithm: the energy (sum of squares) that a tone of each frequency has in the block.
fn energies_at<const N: usize>(block: &[f32; BLOCK], hz: &[f32; N]) -> [f32; N] {
    let coefficients = hz.map(|hz| 2.0 * (std::f32::consts::TAU * hz / SAMPLE_RATE_HZ as f32).cos());
    let (mut last, mut before) = ([0f32; N], [0f32; N]);
    for sample in block {
        for at in 0..N {
            let next = sample + coefficients[at] * last[at] - before[at];
            before[at] = last[at];
            last[at] = next;
        }
    }
    std::array::from_fn(|at| {
        let (last, before) = (last[at], before[at]);
        (last * last + before * before - coefficients[at] * last * before) * 2.0 / BLOCK as f32
    })
}

/// One digit as audio.
#[derive(Debug, Clone)]
pub struct ToneSender {
    low_hz: f32,
    high_hz: f32,
    sent_frames: u8,
}

// === impl ToneSender ===

impl ToneSender {
    /// `None` for a character that is no key.
    pub fn new(char: char) -> Option<Self> {
        let key = KEYS_BY_TONES.iter().position(|key| *key == char.to_ascii_uppercase())?;
        Some(Self { low_hz: *ROWS.get(key / 4)?, high_hz: *COLUMNS.get(key % 4)?, sent_frames: 0 })
    }

    /// Writes the next 20 ms; false once the digit is over.
    pub fn next_frame(&mut self, out: &mut [i16; FRAME_SAMPLES]) -> bool {
        if self.sent_frames == SENT_FRAMES {
            return false;
        }
        let length = usize::from(SENT_FRAMES) * FRAME_SAMPLES;
        let start = usize::from(self.sent_frames) * FRAME_SAMPLES;
        for (n, sample) in (start..).zip(out) {
            let wave = |hz: f32| (std::f32::consts::TAU * hz * n as f32 / SAMPLE_RATE_HZ as f32).sin();
            let ramp = (n.min(length - 1 - n) as f32 / RAMP as f32).min(1.0);
            *sample = ((LOW_PEAK * wave(self.low_hz) + HIGH_PEAK * wave(self.high_hz)) * ramp) as i16;
        }
        self.sent_frames += 1;
        true
    }
}
