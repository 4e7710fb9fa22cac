//! Noise suppression: noise goes, speech stays, nothing is added to silence.
//! How good it is for the ear is RNNoise's own; here it is that it is used right.

use crate::audio::denoise::NoiseSuppressor;
use crate::audio::g711::Law;
use crate::audio::vad::level_dbov;

fn speech() -> Vec<i16> {
    include_bytes!("../../../tests/fixtures/speech_rms.ul").iter().map(|byte| Law::Mu.decode(*byte)).collect()
}

fn hiss(length: usize, peak: i16) -> Vec<i16> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16 % peak
    };
    (0..length).map(|_| next()).collect()
}

fn clean(samples: &[i16]) -> Vec<i16> {
    let mut suppressor = NoiseSuppressor::new();
    let frames = samples.as_chunks::<160>().0.iter();
    frames
        .flat_map(|frame| {
            let mut frame = *frame;
            suppressor.process(&mut frame);
            frame
        })
        .collect()
}

#[test]
fn steady_noise_loses_at_least_10_db_within_a_second() {
    let noise = hiss(32_000, 800);
    let left = clean(&noise);
    let (before, after) = (level_dbov(&noise[8000..]), level_dbov(&left[8000..]));
    assert!(after < before - 10.0, "{before} to {after} dBov");
}

#[test]
fn speech_keeps_its_level_with_noise_and_without() {
    let speech = speech();
    let noisy: Vec<i16> = speech.iter().zip(hiss(speech.len(), 300)).map(|(s, n)| s.saturating_add(n)).collect();
    for input in [&speech, &noisy] {
        let (before, after) = (level_dbov(&speech), level_dbov(&clean(input)));
        assert!((before - after).abs() < 3.0, "{before} to {after} dBov");
    }
}

#[test]
fn silence_stays_silence() {
    assert!(clean(&[0; 16_000]).iter().all(|sample| sample.abs() <= 1));
}
