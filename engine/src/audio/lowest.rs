//! The lowest level of the last half seconds: what is left when nobody speaks, as speech has gaps.
//! What it is a floor of is for `vad` and `background` to say.

/// Frames in half a second.
const HALF_SECOND: u32 = 25;

/// The lowest of the last `N` half seconds, the one at hand among them, dBov.
#[derive(Debug, Clone)]
pub struct Lowest<const N: usize> {
    /// Of each half second, newest first.
    halves: [f32; N],
    frames: u32,
}

// === impl Lowest ===

impl<const N: usize> Lowest<N> {
    pub const fn new() -> Self {
        Self { halves: [f32::INFINITY; N], frames: 0 }
    }

    /// Takes the next frame's level.
    pub fn push(&mut self, level_dbov: f32) {
        if self.frames > 0 && self.frames.is_multiple_of(HALF_SECOND) {
            self.halves.rotate_right(1);
            self.halves[0] = f32::INFINITY;
        }
        self.frames = self.frames.wrapping_add(1);
        self.halves[0] = self.halves[0].min(level_dbov);
    }

    /// Infinite before the first frame.
    pub fn get(&self) -> f32 {
        self.halves.iter().copied().fold(f32::INFINITY, f32::min)
    }

    /// Frames taken.
    pub fn frames(&self) -> u32 {
        self.frames
    }
}
