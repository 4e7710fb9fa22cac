//! Ringing tones by their pitch and rhythm, as a caller's exchange would measure them.
//! When a call sounds one is in the crate's `tests/waiting.rs`.

use super::sine;
use crate::audio::FRAME_SAMPLES;
use crate::audio::g711::Law;
use crate::audio::ringback::{Country, Ringback};

/// Sound and silence of a tone, frame by frame, and its samples.
fn rung(country: &str, frames: usize) -> (Vec<bool>, Vec<i16>) {
    let mut tone = Ringback::new(country.parse().expect("a country"), Law::Mu);
    let mut out = [0; FRAME_SAMPLES];
    let mut heard = Vec::new();
    let sounds = (0..frames).map(|_| {
        let sounds = tone.next_frame(&mut out);
        heard.extend(out.map(|byte| Law::Mu.decode(byte)));
        sounds
    });
    (sounds.collect(), heard)
}

/// How much of the energy a frequency has, 0 to 1.
fn share(samples: &[i16], hz: f64) -> f64 {
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let part = |shift: usize| {
        let wave = (0..).map(|n| f64::from(sine(hz, 10_000.0, n + shift)) / 10_000.0);
        samples.iter().zip(wave).map(|(sample, wave)| f64::from(*sample) * wave).sum::<f64>()
    };
    // A quarter of a period later is the cosine, near enough.
    let quarter = (2000.0 / hz).round() as usize;
    (part(0).powi(2) + part(quarter).powi(2)) * 2.0 / (energy * samples.len() as f64)
}

#[test]
fn each_country_rings_with_its_own_pitch_and_rhythm() {
    for (country, hz, rhythm) in [
        ("us", &[440.0, 480.0][..], &[2000, 4000][..]),
        ("uk", &[400.0, 450.0], &[400, 200, 400, 2000]),
        ("de", &[425.0], &[1000, 4000]),
        ("fr", &[440.0], &[1500, 3500]),
    ] {
        let (sounds, heard) = rung(country, 600);
        let expected = rhythm.iter().enumerate().cycle().flat_map(|(part, ms)| vec![part % 2 == 0; ms / 20]);
        assert!(sounds.iter().copied().eq(expected.take(600)), "{country}");
        let sound = &heard[..8 * rhythm[0]];
        let shares: Vec<f64> = hz.iter().map(|hz| share(sound, *hz)).collect();
        assert!(shares.iter().all(|share| *share > 0.9 / hz.len() as f64), "{country}: {shares:?}");
        assert!(share(sound, 300.0) < 0.01);
        let silence = &heard[8 * rhythm[0]..8 * (rhythm[0] + rhythm[1])];
        assert!(silence.iter().all(|sample| *sample == 0));
        let mean = sound.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / sound.len() as f64;
        // Full scale of a sine is 3.17 dBm0.
        let dbm0 = 10.0 * (mean / (32_124_f64.powi(2) / 2.0)).log10() + 3.17;
        assert!((-19.0..-10.0).contains(&dbm0), "{country}: {dbm0} dBm0");
    }
}

#[test]
fn a_tone_goes_on_without_a_click() {
    for country in ["us", "uk", "de", "jp", "in"] {
        let (_, heard) = rung(country, 20);
        let steepest = heard.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max();
        assert!(steepest.is_some_and(|step| step < 2400), "{country}: {steepest:?}");
    }
}

#[test]
fn a_country_nobody_knows_is_named() {
    let error = "atlantis".parse::<Country>().expect_err("no tone");
    assert!(error.to_string().contains("atlantis"), "{error}");
    assert_eq!(String::from(Country::default()), "us");
    assert_eq!("UK".parse::<Country>().map(String::from), Ok("uk".to_owned()));
}
