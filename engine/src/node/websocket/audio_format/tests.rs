use std::f64::consts::TAU;

use super::{AudioFormat, RATES_HZ, frame_samples};
use crate::audio::FRAME_SAMPLES;
use crate::audio::g711::Law;

/// A second of 440 Hz at this rate.
fn tone(rate_hz: u32) -> Vec<i16> {
    let sample = |n: u32| (8000.0 * (TAU * 440.0 * f64::from(n) / f64::from(rate_hz)).sin()) as i16;
    (0..rate_hz).map(sample).collect()
}

/// Zero crossings upwards of all but the first and last 100 ms, and their RMS.
fn pitch_and_level(samples: &[i16], rate_hz: u32) -> (usize, f64) {
    let edge = rate_hz as usize / 10;
    let middle = &samples[edge..samples.len() - edge];
    let square: f64 = middle.iter().map(|s| f64::from(*s).powi(2)).sum();
    (middle.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count(), (square / middle.len() as f64).sqrt())
}

fn is_the_tone(samples: &[i16], rate_hz: u32) {
    let (crossings, rms) = pitch_and_level(samples, rate_hz);
    assert!(crossings.abs_diff(352) <= 5, "{crossings} at {rate_hz} Hz");
    assert!((5400.0..5900.0).contains(&rms), "{rms} at {rate_hz} Hz");
}

#[test]
fn linear_audio_of_every_rate_is_heard_as_it_was_said() {
    for rate_hz in RATES_HZ {
        let mut format = AudioFormat::linear(rate_hz).unwrap();
        let bytes: Vec<u8> = tone(rate_hz).iter().flat_map(|sample| sample.to_le_bytes()).collect();
        // In pieces that end in the middle of samples.
        let heard: Vec<u8> = bytes.chunks(333).flat_map(|piece| format.hear(piece)).collect();
        assert!((7900..=8000).contains(&heard.len()), "{} samples at {rate_hz} Hz", heard.len());
        is_the_tone(&heard.iter().map(|byte| Law::Mu.decode(*byte)).collect::<Vec<_>>(), 8000);
    }
}

#[test]
fn every_frame_of_the_call_is_a_frame_of_the_client() {
    for rate_hz in RATES_HZ {
        let mut format = AudioFormat::linear(rate_hz).unwrap();
        let mut said = Vec::new();
        for frame in tone(8000).as_chunks::<FRAME_SAMPLES>().0 {
            let bytes = format.say(&frame.map(|sample| Law::Mu.encode(sample)));
            assert_eq!(bytes.len(), 2 * frame_samples(rate_hz));
            said.extend(bytes.as_chunks::<2>().0.iter().map(|sample| i16::from_le_bytes(*sample)));
        }
        is_the_tone(&said, rate_hz);
    }
}

#[test]
fn the_other_law_is_turned_into_ours_and_back() {
    let mut format = AudioFormat::Law(Law::A);
    let heard = format.hear(&[0xD5, Law::A.encode(8000)]);
    let expected = [8, 8000].map(|sample| i32::from(Law::Mu.decode(Law::Mu.encode(sample))));
    for (heard, expected) in heard.iter().zip(expected) {
        assert!((i32::from(Law::Mu.decode(*heard)) - expected).abs() <= 512);
    }
    assert_eq!(format.say(&[Law::Mu.encode(0); FRAME_SAMPLES]), [Law::A.encode(0); FRAME_SAMPLES]);
}

#[test]
fn a_rate_nobody_can_speak_is_named() {
    for rate_hz in [0, 7, 11_025, u32::MAX] {
        assert!(AudioFormat::linear(rate_hz).err().unwrap().0.contains(&rate_hz.to_string()));
    }
}
