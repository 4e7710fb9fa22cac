//! Heard audio against what it should have been: aligned by cross-correlation, then likeness, gaps and clicks.
//! Both sides are 8 kHz mono; reading files is `wav`, deciding what is good enough is the caller's.

#[cfg(test)]
mod tests;

use realfft::RealFftPlanner;
use serde::Serialize;
use thiserror::Error;

use super::path;

const RATE_HZ: usize = 8000;
/// Gaps are looked for in blocks of 5 ms.
const BLOCK: usize = RATE_HZ / 200;
/// A block of the reference this much quieter than its whole (amplitude) may be missing unheard.
const QUIET_SHARE: f64 = 0.05;
/// A block of which less than this share of the amplitude arrived was not heard.
const MISSING_SHARE: f64 = 0.1;

/// How `heard` compares with `reference`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comparison {
    /// Where the reference begins in what was heard, samples at 8 kHz; negative if its start is missing.
    pub offset_samples: i64,
    /// Normalised cross-correlation there, -1 to 1. What is missing of the reference counts against it.
    pub correlation: f64,
    /// Heard amplitude over reference amplitude.
    pub gain: f64,
    /// Longest stretch in which the reference speaks and nothing was heard, ms.
    pub longest_gap_ms: u32,
    /// Steepest sample-to-sample step of what no linear path from the reference explains, as a share of
    /// the reference's peak. Companding stays below 0.05; a bad join is above 0.15.
    pub click: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CompareError {
    #[error("the {0} audio is empty or silent")]
    Silent(&'static str),
    #[error("{0} samples are too many to align (limit {LONGEST})")]
    TooLong(usize),
}

/// Ten minutes: the transform of more would take gigabytes.
const LONGEST: usize = 600 * RATE_HZ;

pub fn compare(heard: &[i16], reference: &[i16]) -> Result<Comparison, CompareError> {
    for (samples, name) in [(heard, "heard"), (reference, "reference")] {
        if samples.len() > LONGEST {
            return Err(CompareError::TooLong(samples.len()));
        }
        if samples.iter().all(|&sample| sample == 0) {
            return Err(CompareError::Silent(name));
        }
    }
    let (offset_samples, correlation) = align(heard, reference);
    let pairs = || reference.iter().enumerate().map(|(n, &wanted)| (at(heard, offset_samples, n), f64::from(wanted)));
    let (product, energy) = pairs().fold((0.0, 0.0), |(p, e), (got, wanted)| (p + got * wanted, e + wanted * wanted));
    let gain = product / energy;
    let (got, wanted): (Vec<f64>, Vec<f64>) = pairs().unzip();
    let expected: Vec<(f64, f64)> = got.iter().copied().zip(path::expected(&got, &wanted)).collect();
    Ok(Comparison {
        offset_samples,
        correlation,
        gain,
        longest_gap_ms: longest_gap_ms(&expected),
        // At both ends the filter reaches beyond the reference, so nothing is known there.
        click: steepest_step(expected.get(path::SIDE..expected.len().saturating_sub(path::SIDE)).unwrap_or_default()),
    })
}

/// Sample `n` of the reference as it was heard; zero before and after what was heard.
fn at(heard: &[i16], offset: i64, n: usize) -> f64 {
    let place = i64::try_from(n).ok().and_then(|n| usize::try_from(n + offset).ok());
    place.and_then(|place| heard.get(place)).copied().map_or(0.0, f64::from)
}

/// The offset with the highest normalised correlation, and that correlation.
fn align(heard: &[i16], reference: &[i16]) -> (i64, f64) {
    let products = cross_correlation(heard, reference);
    // Energy of everything heard before sample n, to know any window's energy by one subtraction.
    let mut before = Vec::with_capacity(heard.len() + 1);
    let mut sum = 0.0;
    before.push(sum);
    for &sample in heard {
        sum += f64::from(sample).powi(2);
        before.push(sum);
    }
    let reference_energy: f64 = reference.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    // A window with next to no energy would be normalised from rounding errors.
    let least_energy = reference_energy.min(sum) * 1e-4;
    let clamp = |place: i64| usize::try_from(place.max(0)).map_or(heard.len(), |place| place.min(heard.len()));
    let (heard_length, length) = (heard.len() as i64, reference.len() as i64);
    let mut best = (0, -1.0);
    for offset in (1 - length)..heard_length {
        let energy = before[clamp(offset + length)] - before[clamp(offset)];
        if energy < least_energy {
            continue;
        }
        let product = products[offset.rem_euclid(products.len() as i64) as usize];
        let correlation = product / (energy * reference_energy).sqrt();
        if correlation > best.1 {
            best = (offset, correlation);
        }
    }
    best
}

/// Σ heard\[n + offset\] · reference\[n\] for every offset; negative offsets are at the end.
fn cross_correlation(heard: &[i16], reference: &[i16]) -> Vec<f64> {
    let size = (heard.len() + reference.len()).next_power_of_two();
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let spectrum = |samples: &[i16]| {
        let mut padded: Vec<f64> = samples.iter().map(|&sample| f64::from(sample)).collect();
        padded.resize(size, 0.0);
        let mut out = forward.make_output_vec();
        // Fails only for buffers of another size than the plan's own.
        forward.process(&mut padded, &mut out).expect("buffers are made by the plan");
        out
    };
    let mut product = spectrum(heard);
    for (heard, reference) in product.iter_mut().zip(spectrum(reference)) {
        *heard *= reference.conj();
    }
    // The first and last bins of a real signal are real; rounding must not say otherwise.
    for edge in [0, product.len() - 1] {
        product[edge].im = 0.0;
    }
    let mut out = inverse.make_output_vec();
    inverse.process(&mut product, &mut out).expect("buffers are made by the plan");
    let scale = 1.0 / size as f64;
    out.iter_mut().for_each(|value| *value *= scale);
    out
}

/// `pairs`: (heard, expected) sample by sample.
fn longest_gap_ms(pairs: &[(f64, f64)]) -> u32 {
    let rms = |values: &mut dyn Iterator<Item = f64>, count: usize| {
        (values.map(|value| value * value).sum::<f64>() / count.max(1) as f64).sqrt()
    };
    let whole = rms(&mut pairs.iter().map(|pair| pair.1), pairs.len());
    let (mut longest, mut current) = (0u32, 0u32);
    for block in pairs.chunks(BLOCK) {
        let expected = rms(&mut block.iter().map(|pair| pair.1), block.len());
        let got = rms(&mut block.iter().map(|pair| pair.0), block.len());
        if expected > whole * QUIET_SHARE && got < expected * MISSING_SHARE {
            current += 1;
            longest = longest.max(current);
        } else {
            current = 0;
        }
    }
    longest * (BLOCK * 1000 / RATE_HZ) as u32
}

fn steepest_step(pairs: &[(f64, f64)]) -> f64 {
    let peak = pairs.iter().map(|pair| pair.1.abs()).fold(0.0, f64::max);
    let difference = |pair: &(f64, f64)| pair.0 - pair.1;
    let steepest = pairs
        .windows(2)
        .map(|two| match two {
            [a, b] => (difference(b) - difference(a)).abs(),
            _ => 0.0,
        })
        .fold(0.0, f64::max);
    if peak > 0.0 { steepest / peak } else { 0.0 }
}
