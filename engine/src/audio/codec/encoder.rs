//! One stream's encoder: samples of 8 kHz into payloads. Its state is as large as its codec needs.
//! When a packet is due and what header it gets is the sending leg's.

use super::Codec;
use super::g722::G722Encoder;
use super::opus::OpusEncoder;
use crate::audio::g711::Law;

/// What became of some samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoded {
    /// A payload of so many bytes.
    Voice(usize),
    /// A payload that says no more than that there is silence: worth sending once.
    Silence(usize),
}

/// Encodes one stream.
#[derive(Debug)]
pub enum Encoder {
    G711(Law),
    G722(G722Encoder),
    Opus(OpusEncoder),
}

// === impl Encoder ===

impl Encoder {
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::G711(law) => Self::G711(law),
            Codec::G722 => Self::G722(G722Encoder::new()),
            Codec::Opus(settings) => Self::Opus(OpusEncoder::new(settings)),
        }
    }

    /// Encodes a packet's samples: with Opus 10, 20, 40 or 60 ms, else any number that `out` has bytes for.
    pub fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Encoded {
        let length = samples.len().min(out.len());
        match self {
            Self::G711(law) => {
                law.encode_into(samples, out);
                Encoded::Voice(length)
            }
            Self::G722(encoder) => {
                encoder.encode(samples, out);
                Encoded::Voice(length)
            }
            Self::Opus(encoder) => match encoder.encode(samples, out) {
                bytes if encoder.is_silence(bytes) => Encoded::Silence(bytes),
                bytes => Encoded::Voice(bytes),
            },
        }
    }

    /// Samples of the longest packet this codec can make that is no longer than `most` (10 to 60 ms).
    pub fn packet_samples(&self, most: usize) -> usize {
        let steps: &[usize] = match self {
            Self::G711(_) | Self::G722(_) => &[480, 400, 320, 240, 160],
            Self::Opus(_) => &[480, 320, 160],
        };
        steps.iter().copied().find(|samples| *samples <= most).unwrap_or(80)
    }

    /// The other side loses this share of our packets, percent.
    pub fn expect_loss(&mut self, percent: u8) {
        if let Self::Opus(encoder) = self {
            encoder.expect_loss(percent);
        }
    }
}
