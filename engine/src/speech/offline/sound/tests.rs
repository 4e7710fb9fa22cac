//! WAV files, sample rates and where the speech is in them.
//! No voice and no ears here.

use super::*;

fn tone(hz: f64, rate_hz: u32, samples: usize) -> Vec<i16> {
    (0..samples)
        .map(|n| ((n as f64 * hz * std::f64::consts::TAU / f64::from(rate_hz)).sin() * 10_000.0) as i16)
        .collect()
}

#[test]
fn a_tone_stays_the_same_tone_at_another_rate() {
    for (from, to) in [(8_000, 16_000), (16_000, 24_000), (24_000, 16_000)] {
        let there = resample(&tone(1_000.0, from, from as usize / 2), from, to);
        let wanted = tone(1_000.0, to, to as usize / 2);
        assert_eq!(there.len(), wanted.len());
        // The ends lack neighbours.
        for (n, (a, b)) in there.iter().zip(&wanted).enumerate().skip(500).take(wanted.len() - 1_000) {
            assert!((i32::from(*a) - i32::from(*b)).abs() < 100, "{from} to {to}, sample {n}: {a} for {b}");
        }
    }
}

#[test]
fn what_is_above_the_new_nyquist_rate_is_gone() {
    let quiet = resample(&tone(10_000.0, 24_000, 12_000), 24_000, 16_000);
    assert!(quiet.iter().skip(100).take(7_000).all(|s| s.abs() < 100));
}

#[test]
fn a_wav_header_is_read_back() {
    let mut wav = wav_header(4, 24_000).to_vec();
    wav.extend([1, 0, 2, 0]);
    assert_eq!(wav_samples(&wav), Ok((vec![1, 2], 24_000)));
}

#[test]
fn only_the_speech_and_its_margin_is_kept() {
    let samples = [vec![0; 8_000], tone(300.0, 8_000, 4_000), vec![0; 8_000]].concat();
    assert_eq!(speech(&samples, 8_000).map(<[i16]>::len), Some(4_000 + 2 * 1_600));
    assert_eq!(speech(&vec![0; 8_000], 8_000), None);
    assert_eq!(speech(&[], 8_000), None);
}
