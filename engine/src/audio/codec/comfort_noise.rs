//! Comfort noise (RFC 3389): the noise a sender that fell silent describes instead of sending it.
//! When it is heard is `playout`'s to decide.

/// Filter order kept; what a packet describes beyond it is left out (RFC 3389 section 3 allows it).
const ORDER: usize = 12;

/// Noise as a packet described it.
#[derive(Debug, Clone)]
pub struct ComfortNoise {
    /// Amplitude of the evenly distributed noise that excites the filter.
    amplitude: f32,
    /// Reflection coefficients, -1 to 1, and the lattice filter's memory.
    reflections: [f32; ORDER],
    memory: [f32; ORDER],
    random: u32,
}

// === impl ComfortNoise ===

impl ComfortNoise {
    /// The noise a packet's payload describes: a level in -dBov, then reflection coefficients.
    pub fn described_by(payload: &[u8]) -> Option<Self> {
        let (level, coefficients) = payload.split_first()?;
        let mut reflections = [0.0; ORDER];
        for (reflection, quantised) in reflections.iter_mut().zip(coefficients) {
            *reflection = (258.0 * (f32::from(*quantised) - 127.0) / 32_768.0).clamp(-0.999, 0.999);
        }
        // The filter amplifies by as much as it predicts; the level is the noise's as heard.
        let gain: f32 = reflections.iter().map(|k| 1.0 - k * k).product::<f32>().sqrt();
        let rms = 32_768.0 * 10_f32.powf(-f32::from(level & 0x7F) / 20.0);
        // Evenly distributed noise has an amplitude of sqrt(3) times its mean square.
        let amplitude = (rms * gain * 3_f32.sqrt()).min(32_767.0);
        Some(Self { amplitude, reflections, memory: [0.0; ORDER], random: 0x9E37_79B9 })
    }

    /// The payload that describes white noise of `level` -dBov.
    pub const fn packet(level: u8) -> [u8; 1] {
        [level & 0x7F]
    }

    /// The next samples of it.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = self.next_sample() as i16;
        }
    }

    fn next_sample(&mut self) -> f32 {
        // xorshift32
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        let white = (self.random as i32 as f32) / 2_147_483_648.0;
        let mut forward = white * self.amplitude;
        for at in (0..ORDER).rev() {
            forward -= self.reflections[at] * self.memory[at];
            let backward = self.memory[at] + self.reflections[at] * forward;
            if let Some(next) = self.memory.get_mut(at + 1) {
                *next = backward;
            }
        }
        self.memory[0] = forward;
        forward
    }
}
