//! Finds how far a signal can be shifted against itself so that the pieces fit: its pitch, if it has one.
//! What is then repeated or left out is decided in `conceal` and `stretch`.

use super::products::dot;

/// Shifts that are tried: 5 to 15 ms, voices of 66 to 200 Hz and multiples of higher ones.
pub const MIN_LAG: usize = 40;
pub const MAX_LAG: usize = 120;
/// Longest piece that is compared, samples.
const MAX_WINDOW: usize = 160;

/// The best shift found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// Samples, `MIN_LAG` to `MAX_LAG`.
    pub lag: usize,
    /// 1 for a perfect repetition, 0 for no likeness at all.
    pub likeness: f32,
}

/// Compares the last `window` samples of `signal` with those `MIN_LAG` to `MAX_LAG` earlier.
///
/// `signal` must hold at least `window + MAX_LAG` samples; with fewer, the longest shift is returned as a bad fit.
pub fn best_lag(signal: &[i16], window: usize) -> Fit {
    const LONGEST: usize = MAX_WINDOW + MAX_LAG;
    let needed = window + MAX_LAG;
    let bad = Fit { lag: MAX_LAG, likeness: 0.0 };
    if window > MAX_WINDOW || signal.len() < needed {
        return bad;
    }
    let tail = &signal[signal.len() - needed..];
    // Scaled so that sums of products fit 32 bits: 11 bits a sample, 160 products.
    let peak = tail.iter().fold(0, |peak, s| peak | s.unsigned_abs());
    let shift = (16 - peak.leading_zeros()).saturating_sub(11);
    let mut scaled = [0i16; LONGEST];
    for (to, from) in scaled.iter_mut().zip(tail) {
        *to = from >> shift;
    }
    let anchor = &scaled[MAX_LAG..needed];
    let score = |lag: usize| {
        let earlier = &scaled[MAX_LAG - lag..needed - lag];
        let (product, energy) = (dot(anchor, earlier), dot(earlier, earlier));
        product as f32 / (energy as f32 + 1.0).sqrt()
    };
    let mut best = (MIN_LAG, f32::MIN);
    for lag in (MIN_LAG..=MAX_LAG).step_by(2) {
        let score = score(lag);
        if score > best.1 {
            best = (lag, score);
        }
    }
    for lag in [best.0.saturating_sub(1).max(MIN_LAG), (best.0 + 1).min(MAX_LAG)] {
        let score = score(lag);
        if score > best.1 {
            best = (lag, score);
        }
    }
    let energy = dot(anchor, anchor) as f32;
    Fit { lag: best.0, likeness: (best.1 / (energy + 1.0).sqrt()).clamp(0.0, 1.0) }
}

/// Blends from `from` to `to`: sample `at` of a blend over `length` samples.
pub fn blend(from: i16, to: i16, at: usize, length: usize) -> i16 {
    let (from, to) = (i64::from(from), i64::from(to));
    let (at, length) = (at as i64 + 1, length as i64 + 1);
    // A mean of two 16-bit samples fits 16 bits.
    (from + (to - from) * at / length) as i16
}
