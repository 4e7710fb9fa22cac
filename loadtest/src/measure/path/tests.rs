//! What a linear path explains, and what is a click.
//! Alignment is tested beside.

use super::*;

/// Noise of a fixed seed.
fn noise() -> Vec<f64> {
    let mut state = 1u32;
    (0..4000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 16) / 32_768.0 - 1.0
        })
        .collect()
}

fn worst(heard: &[f64], reference: &[f64]) -> f64 {
    let expected = expected(heard, reference);
    heard.iter().zip(expected).skip(50).take(3900).map(|(heard, expected)| (heard - expected).abs()).fold(0.0, f64::max)
}

#[test]
fn a_filter_with_gain_and_delay_is_found() {
    let reference = noise();
    let at = |n: usize, back: usize| n.checked_sub(back).map_or(0.0, |n| reference[n]);
    let heard: Vec<f64> = (0..reference.len()).map(|n| 0.3 * at(n, 2) + 0.4 * at(n, 3) - 0.1 * at(n, 9)).collect();
    assert!(worst(&heard, &reference) < 0.01, "{}", worst(&heard, &reference));
}

#[test]
fn a_path_that_is_ahead_is_found_too() {
    let reference = noise();
    let mut heard: Vec<f64> = reference.iter().skip(5).copied().collect();
    heard.resize(reference.len(), 0.0);
    assert!(worst(&heard, &reference) < 0.01, "{}", worst(&heard, &reference));
}

#[test]
fn damage_is_not_explained_away() {
    let reference = noise();
    let mut heard = reference.clone();
    heard[2000] += 1.5;
    assert!(worst(&heard, &reference) > 1.3);
}
