//! The tone somebody hears while a phone rings for them: each country's own pitch and rhythm (ITU-T E.180, supplement 2).
//! When it is heard is the call's business.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::g711::Law;
use super::{FRAME_SAMPLES, SAMPLE_RATE_HZ};

/// All frequencies are multiples of this, Hz, so that 200 ms of a tone repeat without a click.
const GRID_HZ: u32 = 5;

/// Samples after which every tone begins anew.
const PERIOD: usize = (SAMPLE_RATE_HZ / GRID_HZ) as usize;

/// Peak of a tone, or of each of two: -13 dBm0 together, as loud as exchanges send it.
const PEAK: f32 = 5000.0;

/// A sound or a silence of a rhythm, in frames of 20 ms.
type Cadence = &'static [u16];

/// Whose phones ring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country(usize);

/// A country's tone: its name, its frequencies in Hz, and its rhythm, which begins with sound.
struct Tone {
    country: &'static str,
    hz: [u32; 2],
    cadence: Cadence,
}

/// The first is the default. A single frequency stands twice.
const TONES: [Tone; 11] = [
    Tone { country: "us", hz: [440, 480], cadence: &[100, 200] },
    Tone { country: "uk", hz: [400, 450], cadence: &[20, 10, 20, 100] },
    Tone { country: "de", hz: [425, 425], cadence: &[50, 200] },
    Tone { country: "fr", hz: [440, 440], cadence: &[75, 175] },
    Tone { country: "it", hz: [425, 425], cadence: &[50, 200] },
    Tone { country: "es", hz: [425, 425], cadence: &[75, 150] },
    Tone { country: "nl", hz: [425, 425], cadence: &[50, 200] },
    Tone { country: "se", hz: [425, 425], cadence: &[50, 250] },
    Tone { country: "au", hz: [400, 450], cadence: &[20, 10, 20, 100] },
    Tone { country: "jp", hz: [385, 415], cadence: &[50, 100] },
    Tone { country: "in", hz: [375, 425], cadence: &[20, 10, 20, 100] },
];

/// No tone is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no country whose ringing tone is known: us, uk, de, fr, it, es, nl, se, au, jp, in")]
pub struct UnknownCountry(String);

/// A tone going on. It is made and encoded once; a frame of it is a copy.
#[derive(Debug, Clone)]
pub struct Ringback {
    /// 200 ms of the tone, law-encoded.
    sound: [u8; PERIOD],
    silence: u8,
    cadence: Cadence,
    /// Which part of the rhythm it is in, and how many frames of that are over.
    part: usize,
    frames: u16,
    /// Where in `sound` the next frame begins.
    at: usize,
}

// === impl Country ===

impl FromStr for Country {
    type Err = UnknownCountry;

    fn from_str(name: &str) -> Result<Self, UnknownCountry> {
        let found = TONES.iter().position(|tone| tone.country.eq_ignore_ascii_case(name));
        found.map(Self).ok_or_else(|| UnknownCountry(name.to_owned()))
    }
}

impl TryFrom<String> for Country {
    type Error = UnknownCountry;

    fn try_from(name: String) -> Result<Self, UnknownCountry> {
        name.parse()
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.tone().country.to_owned()
    }
}

impl Country {
    fn tone(self) -> &'static Tone {
        let [first, ..] = &TONES;
        TONES.get(self.0).unwrap_or(first)
    }
}

// === impl Ringback ===

impl Ringback {
    /// From the beginning of its rhythm.
    pub fn new(country: Country, law: Law) -> Self {
        let Tone { hz, cadence, .. } = country.tone();
        let sound = std::array::from_fn(|n| {
            let wave = |hz: u32| (std::f32::consts::TAU * hz as f32 * n as f32 / SAMPLE_RATE_HZ as f32).sin();
            let [one, other] = hz.map(wave);
            law.encode(((one + other) * PEAK / 2.0) as i16)
        });
        Self { sound, silence: law.silence(), cadence, part: 0, frames: 0, at: 0 }
    }

    /// Writes the next 20 ms. True if they are sound.
    pub fn next_frame(&mut self, out: &mut [u8; FRAME_SAMPLES]) -> bool {
        if self.cadence.get(self.part).is_none_or(|length| self.frames >= *length) {
            self.part = (self.part + 1) % self.cadence.len();
            (self.frames, self.at) = (0, 0);
        }
        self.frames += 1;
        let sounds = self.part.is_multiple_of(2);
        if sounds {
            let begins = self.sound.iter().cycle().skip(self.at);
            for (sample, sound) in out.iter_mut().zip(begins) {
                *sample = *sound;
            }
            self.at = (self.at + FRAME_SAMPLES) % PERIOD;
        } else {
            out.fill(self.silence);
        }
        sounds
    }
}
