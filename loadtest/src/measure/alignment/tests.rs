//! A reference found again in what was heard, on signals made for the purpose.
//! Whole calls are in `tests/calls.rs`.

use engine::audio::g711::Law;

use super::*;

/// Two seconds of something voice-like: a gliding tone with harmonics under a slow envelope, never periodic.
fn voice() -> Vec<i16> {
    let mut phase = 0.0f64;
    (0..16_000)
        .map(|n| {
            let t = f64::from(n) / 8000.0;
            phase += (110.0 + 40.0 * (t * 1.7).sin() + 15.0 * t) / 8000.0 * std::f64::consts::TAU;
            let tone = phase.sin() + 0.5 * (2.0 * phase).sin() + 0.3 * (5.0 * phase).sin();
            (tone * 5000.0 * (0.6 + 0.4 * (t * 9.0).sin())) as i16
        })
        .collect()
}

fn delayed(by: usize, samples: &[i16]) -> Vec<i16> {
    let mut heard = vec![0; by];
    heard.extend(samples);
    heard.extend([0; 700]);
    heard
}

#[test]
fn the_same_audio_later_is_found_and_correlates_fully() {
    let found = compare(&delayed(1234, &voice()), &voice()).unwrap();
    assert_eq!(found.offset_samples, 1234);
    assert!(found.correlation > 0.9999, "{found:?}");
    assert_eq!(found.longest_gap_ms, 0);
    assert!(found.click < 0.001, "{found:?}");
}

#[test]
fn companding_keeps_the_correlation_and_makes_no_click() {
    let heard: Vec<i16> = voice().iter().map(|&sample| Law::Mu.decode(Law::Mu.encode(sample / 2))).collect();
    let found = compare(&delayed(80, &heard), &voice()).unwrap();
    assert!(found.correlation > 0.999, "{found:?}");
    assert!((found.gain - 0.5).abs() < 0.01, "{found:?}");
    assert!(found.click < 0.05, "{found:?}");
}

#[test]
fn a_missing_start_has_a_negative_offset_and_costs_correlation() {
    let found = compare(&voice()[4000..], &voice()).unwrap();
    assert_eq!(found.offset_samples, -4000);
    assert!(found.correlation < 0.95, "{found:?}");
}

#[test]
fn forty_missing_milliseconds_are_a_gap() {
    let mut heard = voice();
    heard[8000..8320].fill(0);
    let found = compare(&heard, &voice()).unwrap();
    assert!((35..=45).contains(&found.longest_gap_ms), "{found:?}");
}

#[test]
fn half_a_sample_of_delay_is_no_click() {
    let heard: Vec<i16> = voice().windows(2).map(|two| ((i32::from(two[0]) + i32::from(two[1])) / 2) as i16).collect();
    let found = compare(&heard, &voice()).unwrap();
    assert!(found.click < 0.02 && found.longest_gap_ms == 0, "{found:?}");
}

#[test]
fn a_bad_join_is_a_click() {
    let mut heard = voice();
    heard.drain(8000..8013);
    let clean = compare(&voice(), &voice()).unwrap();
    let found = compare(&heard, &voice()).unwrap();
    assert!(found.click > 0.15 && clean.click < 0.01, "{found:?}");
}

#[test]
fn other_audio_does_not_correlate() {
    let other: Vec<i16> = voice().iter().rev().copied().collect();
    assert!(compare(&other, &voice()).unwrap().correlation < 0.8);
}

#[test]
fn silence_cannot_be_compared() {
    assert_eq!(compare(&[0; 800], &voice()), Err(CompareError::Silent("heard")));
    assert_eq!(compare(&voice(), &[]), Err(CompareError::Silent("reference")));
}
