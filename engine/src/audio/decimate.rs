//! Down from a rate that is a whole multiple of the new one: every n-th value of a low-pass filter.
//! Other ratios, and what a stream of speech is to be in step with, are `resample`'s.

use std::sync::{Arc, OnceLock};

use super::products::{PIECE, dot_of_pieces};

/// Taps for each sample that becomes one, less one: 3.4 kHz pass whole when 8 kHz come out, and what is above 4.6 kHz is 68 dB
/// down.
const TAPS: usize = 32;
const _: () = assert!(TAPS.is_multiple_of(PIECE), "taps are whole pieces");
/// Shape of the Kaiser window.
const BETA: f64 = 6.8;
/// Taps are whole numbers of this part of one. Their sizes sum up to less than two, whatever the ratio: no sum of
/// products with full-scale samples leaves 32 bits.
const ONE: i32 = 1 << 15;

/// Ratios whose taps are made once: up to 48 kHz for 8, and every sentence of 24 kHz speech would make its own.
const KEPT: usize = 7;
static FILTERS: [OnceLock<Arc<[i16]>>; KEPT] = [const { OnceLock::new() }; KEPT];

pub(super) struct Decimator {
    ratio: usize,
    taps: Arc<[i16]>,
    /// Input from the first sample on that the next output needs.
    window: Vec<i16>,
}

// === impl Decimator ===

impl Decimator {
    /// `ratio`: input samples to one of output, at least 2.
    pub fn new(ratio: usize) -> Self {
        let taps = match FILTERS.get(ratio) {
            Some(kept) => kept.get_or_init(|| taps(ratio)).clone(),
            None => taps(ratio),
        };
        let mut this = Self { ratio, taps, window: Vec::new() };
        this.begin();
        this
    }

    /// Samples looked at on each side of the middle one.
    pub fn reach(&self) -> usize {
        Self::reach_of(self.ratio)
    }

    /// Appends what is ready to `out`: its n-th sample is where the input's n-th times the ratio was.
    pub fn process(&mut self, input: impl Iterator<Item = i16>, out: &mut Vec<i16>) {
        self.window.extend(input);
        let before = out.len();
        out.extend(self.window.windows(self.taps.len()).step_by(self.ratio).map(|under| {
            let value = (dot_of_pieces(under, &self.taps) + ONE / 2).div_euclid(ONE);
            // A filter may overshoot full scale.
            value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
        }));
        self.window.drain(..(out.len() - before) * self.ratio);
    }

    /// Before the first sample there is silence.
    pub fn begin(&mut self) {
        self.window.clear();
        self.window.resize(self.reach(), 0);
    }

    fn reach_of(ratio: usize) -> usize {
        TAPS * ratio / 2 - 1
    }
}

/// Symmetric, with a zero at the end that makes them whole vectors.
fn taps(ratio: usize) -> Arc<[i16]> {
    let reach = Decimator::reach_of(ratio) as f64;
    let tap = |n: usize| {
        let from_middle = n as f64 - reach;
        sinc(from_middle / ratio as f64) * kaiser(from_middle / (reach + 1.0))
    };
    let mut taps: Vec<f64> = (0..TAPS * ratio - 1).map(tap).collect();
    let sum: f64 = taps.iter().sum();
    taps.push(0.0);
    taps.iter().map(|tap| (tap / sum * f64::from(ONE)).round() as i16).collect()
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

/// The window at -1 to 1, unscaled.
fn kaiser(x: f64) -> f64 {
    bessel(BETA * (1.0 - x * x).max(0.0).sqrt())
}

/// The modified Bessel function I0, by its series.
fn bessel(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..30 {
        term *= (x / (2.0 * f64::from(n))).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests;
