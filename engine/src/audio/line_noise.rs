//! The noise of the caller's line, and noise as loud as it: what is heard where nothing is received.
//! When that is, and how it is joined to speech, is `conceal`'s business.

use super::products::energy;

/// Samples whose energy is taken together: 10 ms.
const PIECE: usize = 80;
/// Pieces in a second. Speech has a gap in two to three seconds; the quietest piece of them is the line's own.
const SECOND: u32 = 100;
/// Louder than this (-45 dBov) a line's noise is music, or speech without a gap: nothing to fill pauses with.
const LOUDEST: f32 = 184.0 * 184.0;

/// Follows the quietest pieces of what is received.
#[derive(Debug, Clone)]
pub struct LineNoise {
    /// Mean energy of a sample in the quietest piece of this second and the two before.
    quietest: [f32; 3],
    pieces: u32,
    /// The piece at hand.
    energy: u64,
    samples: usize,
    seed: u32,
}

// === impl LineNoise ===

impl LineNoise {
    pub const fn new() -> Self {
        Self { quietest: [f32::INFINITY; 3], pieces: 0, energy: 0, samples: 0, seed: 1 }
    }

    /// Takes what was received.
    pub fn follow(&mut self, received: &[i16]) {
        for piece in received.chunks(PIECE) {
            self.energy += energy(piece);
            self.samples += piece.len();
            if self.samples >= PIECE {
                let mean = self.energy as f32 / self.samples as f32;
                (self.energy, self.samples) = (0, 0);
                self.quietest[0] = self.quietest[0].min(mean);
                self.pieces += 1;
                if self.pieces == SECOND {
                    self.pieces = 0;
                    self.quietest.rotate_right(1);
                    self.quietest[0] = f32::INFINITY;
                }
            }
        }
    }

    /// Peak amplitude of noise as loud as the line's; 0 while that is not known, or no noise.
    pub fn peak(&self) -> i32 {
        let known = self.quietest[1].is_finite();
        let quietest = self.quietest.iter().copied().fold(f32::INFINITY, f32::min);
        // Evenly spread values have a third of their peak's energy.
        if known && quietest <= LOUDEST { (3.0 * quietest).sqrt() as i32 } else { 0 }
    }

    /// One sample of noise of this peak.
    pub fn sample(&mut self, peak: i32) -> i32 {
        if peak == 0 {
            return 0;
        }
        // xorshift32: white enough, and the same on every run.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        (self.seed % (2 * peak.unsigned_abs() + 1)) as i32 - peak
    }
}
