//! What is heard: a sentence, and a line on which nobody speaks.
//! Who hears it is `line`'s and `running`'s.

use engine::audio::FRAME_SAMPLES;
use engine::audio::g711::Law;

/// A sentence, µ-law.
pub const SPEECH: &[u8] = include_bytes!("../../engine/tests/fixtures/speech_rms.ul");

/// Digital silence, µ-law.
pub const QUIET: &[u8] = &[0xFF; 320];

/// The sentence as samples at 8 kHz.
pub fn samples() -> Vec<i16> {
    SPEECH.iter().map(|byte| Law::Mu.decode(*byte)).collect()
}

/// 20 ms of a quiet line, 60 dB down.
pub fn quiet_frame() -> [i16; FRAME_SAMPLES] {
    std::array::from_fn(|n| (n * 7919 % 41) as i16 - 20)
}
