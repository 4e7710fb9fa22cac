//! Concealment, and the joins it makes, on tones and on recorded speech.
//! How it plays together with the jitter buffer is in the crate's `tests/jitter_buffer.rs`.

use super::sine;
use crate::audio::conceal::Concealer;
use crate::audio::g711::Law;
use crate::audio::pitch::best_lag;
use crate::audio::stretch;

fn level(samples: &[i16]) -> f64 {
    (samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
}

#[test]
fn a_lost_frame_of_a_tone_is_nearly_the_tone_again() {
    let mut concealer = Concealer::new();
    let mut tone: Vec<i16> = (0..800).map(|n| sine(200.0, 8000.0, n)).collect();
    concealer.received(&mut tone);
    let mut made_up = [0; 160];
    concealer.make_up(&mut made_up);
    // The first 10 ms are at full level.
    for (at, sample) in made_up.iter().take(80).enumerate() {
        let truth = sine(200.0, 8000.0, 800 + at);
        assert!((sample - truth).abs() < 400, "{at}: {sample} for {truth}");
    }
}

#[test]
fn made_up_audio_fades_to_silence_within_80_ms() {
    let mut concealer = Concealer::new();
    let mut tone: Vec<i16> = (0..800).map(|n| sine(200.0, 8000.0, n)).collect();
    concealer.received(&mut tone);
    let mut made_up = [0; 800];
    concealer.make_up(&mut made_up);
    let levels: Vec<f64> = made_up.chunks(80).map(level).collect();
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1.0), "{levels:?}");
    assert!(levels[1] > 3000.0 && levels[7] < 1500.0, "{levels:?}");
    assert_eq!(made_up[640..], [0; 160]);
    assert!(concealer.is_silent());
}

#[test]
fn received_audio_is_not_touched_without_loss() {
    let mut concealer = Concealer::new();
    let mut tone: Vec<i16> = (0..800).map(|n| sine(317.0, 8000.0, n)).collect();
    let before = tone.clone();
    for frame in tone.chunks_mut(160) {
        concealer.received(frame);
    }
    assert_eq!(tone, before);
}

#[test]
fn joins_hold_in_pieces_of_any_length() {
    for piece in [1, 7, 33, 160] {
        let mut concealer = Concealer::new();
        let mut heard = Vec::new();
        for start in (0..1600).step_by(160) {
            let mut frame: Vec<i16> = (start..start + 160).map(|n| sine(250.0, 8000.0, n)).collect();
            if start == 800 {
                concealer.make_up(&mut frame);
            } else {
                frame.chunks_mut(piece).for_each(|piece| concealer.received(piece));
            }
            heard.extend(frame);
        }
        let steepest = heard.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max();
        // 8000 * 2 pi * 250 / 8000 = 1570 is the tone's own.
        assert!(steepest < Some(2200), "pieces of {piece}: {steepest:?}");
    }
}

#[test]
fn shortening_and_lengthening_a_tone_keep_it_smooth() {
    let tone: Vec<i16> = (0..600).map(|n| sine(200.0, 8000.0, n)).collect();
    let steepest = |samples: &[i16]| samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max();
    let own = 8000.0 * 200.0 * std::f64::consts::TAU / 8000.0;
    let mut out = [0; 160];

    let ahead = tone[160..].first_chunk().expect("long enough");
    let left_out = stretch::shorten(ahead, false, &mut out).expect("a tone always fits");
    assert_eq!(left_out % 40, 0, "whole periods of 40 samples");
    let joined: Vec<i16> = [&tone[..160], &out, &tone[320 + left_out..]].concat();
    assert!(steepest(&joined) < Some((own * 1.1) as i32), "{:?}", steepest(&joined));

    let signal = tone[160 - stretch::BEHIND..].first_chunk().expect("long enough");
    let repeated = stretch::lengthen(signal, &mut out).expect("a tone always fits");
    assert_eq!(repeated % 40, 0);
    let joined: Vec<i16> = [&tone[..160], &out, &tone[320 - repeated..]].concat();
    assert!(steepest(&joined) < Some((own * 1.1) as i32), "{:?}", steepest(&joined));
}

#[test]
fn the_pitch_of_a_voice_is_found() {
    let speech = include_bytes!("../../../tests/fixtures/speech_rms.ul");
    let samples: Vec<i16> = speech.iter().map(|byte| Law::Mu.decode(*byte)).collect();
    let voiced = samples.windows(400).step_by(160).filter(|window| level(window) > 1000.0);
    let fits: Vec<f32> = voiced.map(|window| best_lag(window, 160).likeness).collect();
    let good = fits.iter().filter(|likeness| **likeness > 0.7).count();
    assert!(good * 10 > fits.len() * 8, "{good} of {}", fits.len());
}

#[test]
fn a_loss_fades_into_the_noise_of_the_line_and_a_pause_sounds_like_it() {
    let mut state = 1u32;
    let mut hiss = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16 % 60
    };
    let mut concealer = Concealer::new();
    // Three seconds of words with gaps, over a hissing line.
    for frame in 0..150 {
        let mut samples: Vec<i16> =
            (0..160).map(|n| hiss() + if frame % 10 < 7 { sine(200.0, 6000.0, frame * 160 + n) } else { 0 }).collect();
        concealer.received(&mut samples);
    }
    let line = level(&(0..800).map(|_| hiss()).collect::<Vec<_>>());
    let (mut lost, mut pause) = ([0; 1600], [0; 1600]);
    concealer.make_up(&mut lost);
    concealer.keep_quiet(&mut pause);
    for quiet in [&lost[640..], &pause[..]] {
        assert!((0.6..1.6).contains(&(level(quiet) / line)), "{} for {line}", level(quiet));
    }
}
