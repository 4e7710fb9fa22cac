//! Minutes of people and machines talking, at several pitches and levels: none of it may be taken for a key.
//! The recordings are Debian's (pocketsphinx-testdata); the machines are flite's voices.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::Command;

use engine::audio::dtmf_tones::ToneDetector;
use engine::audio::resample::Resampler;

const RECORDINGS: &str = "/usr/share/pocketsphinx/test/data";

/// Every sample rate the recordings are taken to have: 16 kHz is right, the others change voice and pace.
const RATES: [u32; 5] = [13_000, 14_500, 16_000, 18_000, 20_500];

fn wav(path: &Path) -> Vec<i16> {
    hound::WavReader::open(path).unwrap().into_samples().map(Result::unwrap).collect()
}

fn recordings() -> Vec<Vec<i16>> {
    let folders = ["cards", "librivox"].map(|folder| Path::new(RECORDINGS).join(folder));
    let files =
        folders.iter().flat_map(|folder| fs::read_dir(folder).expect("the Debian package pocketsphinx-testdata"));
    let paths = files.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "wav"));
    paths.map(|path| wav(&path)).collect()
}

fn machines() -> Vec<Vec<i16>> {
    let folder = tempfile::tempdir().unwrap();
    // English enough: a page of this house.
    let text: String =
        include_str!("../../CONTRIBUTING.md").chars().filter(|c| c.is_alphanumeric() || " .,".contains(*c)).collect();
    ["kal16", "rms", "slt", "awb"]
        .iter()
        .map(|voice| {
            let path = folder.path().join(voice);
            let spoke = Command::new("flite").args(["-voice", voice, "-t", &text, "-o"]).arg(&path).status();
            assert!(spoke.expect("the Debian package flite").success());
            wav(&path)
        })
        .collect()
}

#[test]
fn a_quarter_of_an_hour_of_speech_holds_no_key() {
    let mut seconds = 0;
    let all = [(recordings(), &RATES[..]), (machines(), &[16_000])];
    for (voices, rates) in &all {
        for voice in voices {
            for rate in *rates {
                let mut samples = Vec::new();
                let mut resampler = Resampler::new(*rate, 8000).unwrap();
                resampler.process(voice, &mut samples);
                resampler.flush(&mut samples);
                seconds += samples.len() / 8000;
                for gain in [1, 3] {
                    let mut detector = ToneDetector::new();
                    for frame in samples.as_chunks::<160>().0 {
                        let digit = detector.push(&frame.map(|sample| sample.saturating_mul(gain)));
                        assert_eq!(digit, None, "at {rate} Hz, gain {gain}");
                    }
                }
            }
        }
    }
    assert!(seconds > 900, "{seconds} s of speech");
}
