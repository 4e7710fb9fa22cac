//! The voice detector on recorded speech, noise, clicks, tones and silence.
//! The recordings are flite's, through µ-law (`tests/fixtures/README.md`).

use super::sine;
use crate::audio::g711::Law;
use crate::audio::vad::{SILENCE_DBOV, Voice, VoiceDetector, level_dbov};

const RMS: &[u8] = include_bytes!("../../../tests/fixtures/speech_rms.ul");
const KAL16: &[u8] = include_bytes!("../../../tests/fixtures/speech_kal16.ul");

/// White noise of about this RMS level, the same on every run.
fn noise(rms: f64) -> impl FnMut() -> f64 {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    move || {
        let mut sum = 0.0;
        for _ in 0..4 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            sum += (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
        }
        // Four even spreads of variance 1/12.
        sum * rms * 3f64.sqrt()
    }
}

fn run(detector: &mut VoiceDetector, samples: impl IntoIterator<Item = f64>) -> Vec<Voice> {
    let samples: Vec<i16> = samples.into_iter().map(|sample| sample as i16).collect();
    samples.as_chunks::<160>().0.iter().map(|frame| detector.push(frame)).collect()
}

fn speech(bytes: &[u8], level: f64) -> Vec<f64> {
    let samples: Vec<i16> = bytes.iter().map(|byte| Law::Mu.decode(*byte)).collect();
    let gain = 10f64.powf((level - f64::from(level_dbov(&samples))) / 20.0);
    samples.into_iter().map(|sample| f64::from(sample) * gain).collect()
}

fn voiced(frames: &[Voice]) -> usize {
    frames.iter().filter(|frame| frame.voiced).count()
}

#[test]
fn speech_is_heard_from_loud_to_quiet_at_its_first_loud_frames() {
    for (bytes, share) in [(RMS, 0.8), (KAL16, 0.6)] {
        for level in [-15.0, -27.0, -45.0] {
            let mut detector = VoiceDetector::new();
            let mut line = noise(8.0);
            assert_eq!(voiced(&run(&mut detector, (0..16_000).map(|_| line()))), 0, "the line alone");
            let frames = run(&mut detector, speech(bytes, level).into_iter().map(|sample| sample + line()));
            let spoken: Vec<bool> = frames.iter().map(|frame| f64::from(frame.level_dbov) > level - 6.0).collect();
            let first = spoken.iter().position(|loud| *loud).expect("speech");
            let heard = frames.iter().position(|frame| frame.voiced).expect("voice");
            assert!(heard <= first + 2, "{level} dBov: loud at frame {first}, voiced at {heard}");
            let loud = spoken.iter().filter(|loud| **loud).count();
            let both = frames.iter().zip(&spoken).filter(|(frame, loud)| frame.voiced && **loud).count();
            assert!(both as f64 > loud as f64 * share, "{level} dBov: {both} of {loud} loud frames voiced");
        }
    }
}

#[test]
fn the_end_of_speech_is_seen_within_200_ms() {
    let mut detector = VoiceDetector::new();
    let mut line = noise(8.0);
    run(&mut detector, (0..16_000).map(|_| line()));
    run(&mut detector, speech(RMS, -27.0).into_iter().take(20_000).map(|sample| sample + line()));
    let after = run(&mut detector, (0..16_000).map(|_| line()));
    assert_eq!(voiced(&after[10..]), 0);
}

#[test]
fn steady_line_noise_closes_the_gate_at_any_level() {
    for rms in [3.0, 30.0, 300.0, 1000.0, 5000.0] {
        let mut detector = VoiceDetector::new();
        let mut line = noise(rms);
        let frames = run(&mut detector, (0..80_000).map(|_| line()));
        assert!(voiced(&frames) < 10, "rms {rms}: {} voiced", voiced(&frames));
        assert_eq!(voiced(&frames[10..]), 0, "rms {rms}");
        assert!(!detector.gate_is_open());
    }
}

#[test]
fn noise_that_begins_in_mid_call_is_learned_within_three_seconds() {
    let mut detector = VoiceDetector::new();
    let (mut quiet, mut loud) = (noise(8.0), noise(500.0));
    run(&mut detector, (0..40_000).map(|_| quiet()));
    let frames = run(&mut detector, (0..48_000).map(|_| loud()));
    assert_eq!(voiced(&frames[150..]), 0);
    assert!(!detector.gate_is_open());
}

#[test]
fn speech_over_line_noise_is_heard() {
    let mut detector = VoiceDetector::new();
    let mut line = noise(100.0);
    run(&mut detector, (0..32_000).map(|_| line()));
    let frames = run(&mut detector, speech(RMS, -27.0).into_iter().map(|sample| sample + line()));
    assert!(voiced(&frames) > 130, "{}", voiced(&frames));
}

#[test]
fn clicks_are_voice_for_60_ms_at_most() {
    let mut detector = VoiceDetector::new();
    let mut line = noise(8.0);
    let samples = (0..80_000)
        .map(|n| if n % 6000 < 12 && n > 5000 { if n % 2 == 0 { 20_000.0 } else { -15_000.0 } } else { line() });
    let frames = run(&mut detector, samples);
    assert!(frames.chunk_by(|a, b| a.voiced == b.voiced).all(|run| voiced(run) <= 3), "no longer than 60 ms");
}

#[test]
fn keys_and_dial_tones_are_voice_for_less_than_a_word() {
    // Keys 5, D, 1 in the audio; a European busy tone; a fax calling.
    for (low, high) in [(770.0, 1336.0), (941.0, 1633.0), (697.0, 1209.0), (425.0, 425.0), (1100.0, 1100.0)] {
        for length in [800, 1600, 8000] {
            let mut detector = VoiceDetector::new();
            let mut line = noise(8.0);
            run(&mut detector, (0..16_000).map(|_| line()));
            let tone = (0..length).map(|n| f64::from(sine(low, 4000.0, n)) + f64::from(sine(high, 4000.0, n)));
            let frames = run(&mut detector, tone);
            assert!(voiced(&frames) <= 5, "{low}+{high} Hz, {length} samples: {}", voiced(&frames));
        }
    }
}

#[test]
fn digital_silence_is_told_as_such() {
    let mut detector = VoiceDetector::new();
    let silence = Voice { voiced: false, level_dbov: SILENCE_DBOV };
    assert!(run(&mut detector, (0..16_000).map(|_| 0.0)).iter().all(|frame| *frame == silence));
    assert!((level_dbov(&[i16::MIN; 160]) - 0.0).abs() < 0.01);
    assert_eq!(level_dbov(&[]), SILENCE_DBOV);
}
