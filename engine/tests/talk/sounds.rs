//! Sounds that are nobody speaking to us, made the same on every run: noise, coughs, clicks, tones, breath.
//! Only the sounds; what they are expected to do is the tests' business.

use std::f32::consts::TAU;

use crate::recordings::{Recording, gained};

/// Noise with a seed.
#[derive(Debug, Clone)]
pub struct Noise {
    state: u64,
    low: f32,
}

// === impl Noise ===

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self { state: 0x9E37_79B9_7F4A_7C15 ^ seed.wrapping_mul(0x2545_F491_4F6C_DD1D), low: 0.0 }
    }

    /// -1 to 1, each as often.
    pub fn even(&mut self) -> f32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// White, of this RMS level, dBov.
    pub fn sample(&mut self, dbov: f32) -> f32 {
        self.even() * amplitude(dbov) * 3f32.sqrt()
    }

    /// With less of the high tones.
    pub fn dull(&mut self, dbov: f32, dullness: f32) -> f32 {
        let white = self.sample(dbov);
        self.low += (white - self.low) * (1.0 - dullness);
        self.low * (2.0 / (1.0 - dullness)).sqrt()
    }
}

/// Noise with as much in each octave (P. Kellet's filter), at no level of its own.
pub fn pink(seed: u64, ms: usize) -> Vec<f32> {
    let mut noise = Noise::new(seed);
    let mut poles = [0.0f32; 3];
    let octave = |_| {
        let white = noise.even();
        for (pole, (keep, gain)) in poles.iter_mut().zip([(0.99765, 0.099), (0.963, 0.2965), (0.57, 1.0527)]) {
            *pole = *pole * keep + white * gain;
        }
        poles.iter().sum::<f32>() + white * 0.1848
    };
    (0..ms * 8).map(octave).collect()
}

/// A named sound.
pub struct Sound {
    pub name: String,
    pub samples: Vec<i16>,
}

/// Ninety sounds, none of them an interruption.
pub fn none_of_them_speech(voices: &[Recording]) -> Vec<Sound> {
    let mut all = Vec::new();
    for n in 0..10 {
        let mut add = |name: &str, samples: Vec<i16>| all.push(Sound { name: format!("{name} {n}"), samples });
        add("cough", coughs(n, 1 + n as usize % 3));
        add("click", clicks(n));
        add("thump", thump(n));
        add("tone", tone(300.0 + 170.0 * n as f32, 250 + 150 * n as usize));
        add("breath", breath(n));
        add("noise", noise(n));
        add("keys", typing(n));
        let voice = &voices[n as usize % voices.len()];
        add("distant talker", gained(&voice.samples, -20.0));
        add("distant babble", gained(&babble(voices, n as usize, 3000), -20.0));
    }
    all
}

/// Six people at once, at the level of one.
pub fn babble(voices: &[Recording], first: usize, ms: usize) -> Vec<i16> {
    let mut sum = vec![0.0f32; ms * 8];
    for n in 0..6 {
        let voice = &voices[(first + n * 7) % voices.len()].samples;
        for (at, to) in sum.iter_mut().enumerate() {
            *to += f32::from(voice[(at + n * 3001) % voice.len()]);
        }
    }
    sum.into_iter().map(|s| (s / 6f32.sqrt()) as i16).collect()
}

fn amplitude(dbov: f32) -> f32 {
    32_768.0 * 10f32.powf(dbov / 20.0)
}

fn samples(ms: usize, mut of: impl FnMut(usize, f32) -> f32) -> Vec<i16> {
    (0..ms * 8).map(|n| of(n, n as f32 / 8000.0) as i16).collect()
}

/// Bursts of 250 ms with a fast attack, 200 ms apart.
fn coughs(seed: u64, bursts: usize) -> Vec<i16> {
    let mut noise = Noise::new(seed);
    samples(bursts * 450, |n, _| {
        let within = (n % 3600) as f32 / 2000.0;
        let envelope = if within < 1.0 { (within * 12.0).min(1.0) * (1.0 - within) } else { 0.0 };
        noise.dull(-16.0, 0.5) * envelope
    })
}

fn clicks(seed: u64) -> Vec<i16> {
    let mut noise = Noise::new(seed);
    samples(1200, |n, _| if n % (1600 + seed as usize * 200) < 24 { noise.even() * 20_000.0 } else { 0.0 })
}

fn thump(seed: u64) -> Vec<i16> {
    let pitch = 45.0 + 8.0 * seed as f32;
    samples(400, |_, t| 15_000.0 * (TAU * pitch * t).sin() * (-t * 18.0).exp())
}

fn tone(hz: f32, ms: usize) -> Vec<i16> {
    samples(ms, |_, t| 4000.0 * (TAU * hz * t).sin())
}

fn breath(seed: u64) -> Vec<i16> {
    let mut noise = Noise::new(seed);
    samples(1500, |_, t| noise.dull(-34.0, 0.2) * (TAU * t / 3.0).sin().abs())
}

fn noise(seed: u64) -> Vec<i16> {
    let mut noise = Noise::new(seed);
    let level = -40.0 + 2.0 * seed as f32;
    samples(2500, |_, _| noise.dull(level, 0.7))
}

fn typing(seed: u64) -> Vec<i16> {
    let mut noise = Noise::new(seed);
    samples(2000, |n, _| {
        let within = n % (900 + 60 * seed as usize);
        if within < 240 { noise.dull(-22.0, 0.3) * (1.0 - within as f32 / 240.0) } else { 0.0 }
    })
}
