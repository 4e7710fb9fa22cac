//! What callers and the agent say: two synthetic voices, encoded once, without the silence around them.
//! When they say it is `caller`'s and `provider`'s business.

use std::sync::LazyLock;

use bytes::Bytes;
use engine::audio::FRAME_SAMPLES;
use engine::audio::g711::Law;

use crate::measure::level;

/// 20 ms, µ-law.
pub type Frame = [u8; FRAME_SAMPLES];

pub const SILENCE: Frame = [Law::Mu.silence(); FRAME_SAMPLES];

pub static QUESTION: LazyLock<Vec<Frame>> =
    LazyLock::new(|| spoken(include_bytes!("../../../engine/tests/fixtures/speech_rms.ul")).to_vec());

pub static ANSWER: LazyLock<Bytes> =
    LazyLock::new(|| spoken(include_bytes!("../../../engine/tests/fixtures/speech_kal16.ul")).concat().into());

pub fn is_voiced(frame: &Frame) -> bool {
    // Most frames are silence, and told by a look.
    *frame != SILENCE && level::is_voiced(&frame.map(|byte| Law::Mu.decode(byte)))
}

/// The first voiced frame to the last.
fn spoken(bytes: &'static [u8]) -> &'static [Frame] {
    let frames = bytes.as_chunks().0;
    let (first, last) = (frames.iter().position(is_voiced), frames.iter().rposition(is_voiced));
    first.zip(last).and_then(|(first, last)| frames.get(first..=last)).unwrap_or_default()
}
