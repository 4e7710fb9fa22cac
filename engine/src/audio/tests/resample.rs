//! Both resamplers: level, pitch, images and length.
//! Tones only; speech goes through them in the voice detector's tests.

use super::sine;
use crate::audio::resample::{Resampler, Upsampler};
use proptest::prelude::*;

/// Peak of the component at `hz`.
fn component(samples: &[i16], hz: f64, rate: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let phase = n as f64 * hz * std::f64::consts::TAU / rate;
        re += f64::from(*sample) * phase.cos();
        im += f64::from(*sample) * phase.sin();
    }
    2.0 * (re * re + im * im).sqrt() / samples.len() as f64
}

#[test]
fn the_upsampler_keeps_the_tone_and_no_mirror_image() {
    for hz in [200.0, 1000.0, 2000.0, 3000.0, 3400.0] {
        let mut upsampler = Upsampler::new();
        let mut heard = Vec::new();
        for start in (0..8000).step_by(160) {
            let mut out = [0; 320];
            upsampler.process(&std::array::from_fn(|n| sine(hz, 10_000.0, start + n)), &mut out);
            heard.extend(out);
        }
        let settled = &heard[1600..];
        let (tone, image) = (component(settled, hz, 16_000.0), component(settled, 8000.0 - hz, 16_000.0));
        assert!((tone - 10_000.0).abs() < 60.0, "{hz} Hz: {tone}");
        assert!(image < 40.0, "{hz} Hz: image {image}");
    }
}

#[test]
fn synthesised_speech_rates_come_down_to_8_khz_in_step() {
    for rate in [8000u32, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000] {
        let tone =
            |n: usize, rate: u32| (8000.0 * (n as f64 * 600.0 * std::f64::consts::TAU / f64::from(rate)).sin()) as i16;
        let input: Vec<i16> = (0..rate as usize).map(|n| tone(n, rate)).collect();
        let mut resampler = Resampler::new(rate, 8000).expect("a usual rate");
        let mut out = Vec::new();
        input.chunks(333).for_each(|piece| resampler.process(piece, &mut out));
        resampler.flush(&mut out);
        assert_eq!(out.len(), 8000, "{rate} Hz");
        // The filter's delay is taken off in whole samples: the output is at most one sample off.
        let worst = (800..7200).map(|n| (out[n] - tone(n, 8000)).abs()).max();
        let step = (8000.0 * 600.0 * std::f64::consts::TAU / 8000.0) as i16;
        assert!(worst < Some(step), "{rate} Hz: off by {worst:?}");
        assert!((component(&out[800..7200], 600.0, 8000.0) - 8000.0).abs() < 40.0, "{rate} Hz");
    }
}

#[test]
fn what_is_above_half_the_new_rate_does_not_come_back_as_another_tone() {
    let input: Vec<i16> =
        (0..24_000).map(|n| (8000.0 * (n as f64 * 5200.0 * std::f64::consts::TAU / 24_000.0).sin()) as i16).collect();
    let mut out = Vec::new();
    let mut resampler = Resampler::new(24_000, 8000).expect("rates");
    resampler.process(&input, &mut out);
    assert!(component(&out[800..], 2800.0, 8000.0) < 40.0);
}

#[test]
fn a_rate_of_zero_is_refused_by_name() {
    let error = Resampler::new(0, 8000).map(|_| ()).expect_err("zero");
    assert_eq!(error.to_string(), "cannot resample from 0 Hz to 8000 Hz: a rate is zero");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn pieces_of_any_length_give_the_same_stream(cuts in prop::collection::vec(0usize..700, 1..30)) {
        let input: Vec<i16> = (0..cuts.iter().sum()).map(|n| sine(440.0, 9000.0, n)).collect();
        let mut resampler = Resampler::new(24_000, 8000).expect("rates");
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        resampler.process(&input, &mut whole);
        resampler.flush(&mut whole);
        let mut rest = input.as_slice();
        for cut in cuts {
            let (piece, later) = rest.split_at(cut);
            resampler.process(piece, &mut pieces);
            rest = later;
        }
        resampler.flush(&mut pieces);
        prop_assert_eq!(whole.len(), input.len().div_ceil(3));
        prop_assert_eq!(whole, pieces);
    }
}
