//! Digits in the audio as lines leave them, and what must not be taken for one.
//! Speech is the crate's fixtures, and hours of it the crate's `tests/talk_off.rs`.

use super::sine;
use crate::audio::dtmf::Digit;
use crate::audio::dtmf_tones::{ToneDetector, ToneSender};
use crate::audio::g711::Law;

const KEYS: &str = "147*2580369#ABCD";
const FREQUENCIES: [(char, f64, f64); 16] = [
    ('1', 697.0, 1209.0),
    ('2', 697.0, 1336.0),
    ('3', 697.0, 1477.0),
    ('A', 697.0, 1633.0),
    ('4', 770.0, 1209.0),
    ('5', 770.0, 1336.0),
    ('6', 770.0, 1477.0),
    ('B', 770.0, 1633.0),
    ('7', 852.0, 1209.0),
    ('8', 852.0, 1336.0),
    ('9', 852.0, 1477.0),
    ('C', 852.0, 1633.0),
    ('*', 941.0, 1209.0),
    ('0', 941.0, 1336.0),
    ('#', 941.0, 1477.0),
    ('D', 941.0, 1633.0),
];

/// How a line sends its digits.
#[derive(Debug, Clone, Copy)]
struct Line {
    /// Of the low tone.
    level_dbm0: f64,
    /// The high tone is so much stronger.
    twist_db: f64,
    offset: f64,
    /// Noise below the digit's level, dB.
    snr_db: Option<f64>,
    on_ms: usize,
    off_ms: usize,
}

const GOOD: Line = Line { level_dbm0: -10.0, twist_db: 2.0, offset: 0.0, snr_db: None, on_ms: 40, off_ms: 40 };

/// Half a second of the line alone, then every key, then silence.
fn dial(line: &Line, lead: usize) -> Vec<i16> {
    let peak = |dbm0: f64| 32_124.0 * 10f64.powf((dbm0 - 3.17) / 20.0);
    let (low_peak, high_peak) = (peak(line.level_dbm0), peak(line.level_dbm0 + line.twist_db));
    let mut samples = vec![0.0; 4000 + lead];
    for (key, (_, low, high)) in KEYS.chars().map(|key| (key, frequencies(key))) {
        let phase = f64::from(u32::from(key));
        let tone =
            |hz: f64, n: usize| (n as f64 * hz * (1.0 + line.offset) * std::f64::consts::TAU / 8000.0 + phase).sin();
        samples.extend((0..line.on_ms * 8).map(|n| low_peak * tone(low, n) + high_peak * tone(high, n)));
        samples.extend(vec![0.0; line.off_ms * 8]);
    }
    samples.extend([0.0; 1600]);
    let rms = ((low_peak * low_peak + high_peak * high_peak) / 2.0).sqrt();
    let mut noise = noise(line.snr_db.map_or(0.0, |snr| rms / 10f64.powf(snr / 20.0)));
    // Through mu-law, as it comes.
    samples.into_iter().map(|sample| Law::Mu.decode(Law::Mu.encode((sample + noise()) as i16))).collect()
}

fn frequencies(key: char) -> (char, f64, f64) {
    FREQUENCIES.into_iter().find(|(char, ..)| *char == key).expect("a key")
}

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
        sum * rms * 3f64.sqrt()
    }
}

fn heard(samples: &[i16]) -> Vec<Digit> {
    let mut detector = ToneDetector::new();
    samples.as_chunks::<160>().0.iter().filter_map(|frame| detector.push(frame)).collect()
}

fn keys(digits: &[Digit]) -> String {
    digits.iter().map(|digit| digit.char).collect()
}

#[test]
fn every_key_is_heard_once_as_the_shortest_tone_the_standard_allows() {
    let lines = [
        GOOD,
        Line { level_dbm0: 0.0, twist_db: 0.0, ..GOOD },
        Line { level_dbm0: -25.0, twist_db: 0.0, ..GOOD },
        Line { twist_db: 6.0, ..GOOD },
        Line { twist_db: -6.0, ..GOOD },
        Line { offset: 0.015, ..GOOD },
        Line { offset: -0.015, ..GOOD },
        Line { snr_db: Some(15.0), on_ms: 60, off_ms: 60, ..GOOD },
        Line { snr_db: Some(5.0), on_ms: 100, off_ms: 100, ..GOOD },
        Line { snr_db: Some(10.0), offset: 0.015, on_ms: 100, off_ms: 100, ..GOOD },
    ];
    for line in lines {
        // Wherever the tones fall between the blocks.
        for lead in [0, 37, 74] {
            assert_eq!(keys(&heard(&dial(&line, lead))), KEYS, "{line:?}, {lead} samples late");
        }
    }
}

#[test]
fn a_digit_is_told_when_it_is_released_with_its_length() {
    let digits = heard(&dial(&Line { on_ms: 300, ..GOOD }, 0));
    assert_eq!(keys(&digits), KEYS);
    assert!(digits.iter().all(|digit| (270..=330).contains(&digit.duration_ms)), "{digits:?}");
}

#[test]
fn a_dropout_of_10_ms_does_not_make_two_digits_of_one() {
    for at in (0..800).step_by(20) {
        let mut samples = vec![0i16; 4000];
        samples.extend((0..1600).map(|n| sine(770.0, 6000.0, n) + sine(1336.0, 6000.0, n)));
        samples.extend([0; 1600]);
        samples[4300 + at..4380 + at].fill(0);
        assert_eq!(keys(&heard(&samples)), "5", "dropout at {at}");
    }
}

#[test]
fn single_tones_noise_speech_and_too_short_tones_are_no_digits() {
    let speech: [&[u8]; 2] = [
        include_bytes!("../../../tests/fixtures/speech_rms.ul"),
        include_bytes!("../../../tests/fixtures/speech_kal16.ul"),
    ];
    for bytes in speech {
        for gain in [1, 3] {
            let samples: Vec<i16> = bytes.iter().map(|byte| Law::Mu.decode(*byte).saturating_mul(gain)).collect();
            assert_eq!(heard(&samples), []);
        }
    }
    let mut loud = noise(6000.0);
    assert_eq!(heard(&(0..80_000).map(|_| loud() as i16).collect::<Vec<_>>()), []);
    // Dial and busy tones of two continents, a fax, one tone of a key, two of one group.
    for (low, high) in [
        (425.0, 425.0),
        (350.0, 440.0),
        (480.0, 620.0),
        (440.0, 480.0),
        (1100.0, 2100.0),
        (770.0, 770.0),
        (697.0, 941.0),
    ] {
        let tone: Vec<i16> = (0..8000).map(|n| sine(low, 6000.0, n) + sine(high, 6000.0, n)).collect();
        assert_eq!(heard(&tone), [], "{low} and {high} Hz");
    }
    assert_eq!(heard(&dial(&Line { on_ms: 15, off_ms: 60, ..GOOD }, 0)), []);
}

#[test]
fn what_is_sent_is_heard() {
    for key in KEYS.chars() {
        let mut sender = ToneSender::new(key).expect("a key");
        let (mut detector, mut frame, mut digits) = (ToneDetector::new(), [0; 160], Vec::new());
        while sender.next_frame(&mut frame) {
            digits.extend(detector.push(&frame));
        }
        digits.extend((0..5).filter_map(|_| detector.push(&[0; 160])));
        assert_eq!(keys(&digits), key.to_string());
    }
    assert!(ToneSender::new('x').is_none());
}
