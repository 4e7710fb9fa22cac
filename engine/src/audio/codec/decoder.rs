//! One stream's decoder: payloads into samples of 8 kHz, in the order in which they were sent.
//! Putting them into that order is `decoding`'s.

use super::Codec;
use super::g722::G722Decoder;
use super::opus::{LONGEST, OpusDecoder};
use crate::audio::g711::Law;

/// Longest G.711 or G.722 packet taken, bytes and samples: 200 ms.
const MAX_OCTETS: usize = 1600;

/// Decodes one stream.
#[derive(Debug)]
pub enum Decoder {
    G711(Law),
    G722(G722Decoder),
    Opus(OpusDecoder),
}

// === impl Decoder ===

impl Decoder {
    /// Samples in the longest packet of any codec.
    pub const LONGEST_PACKET: usize = if MAX_OCTETS > LONGEST { MAX_OCTETS } else { LONGEST };

    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::G711(law) => Self::G711(law),
            Codec::G722 => Self::G722(G722Decoder::new()),
            Codec::Opus(_) => Self::Opus(OpusDecoder::new()),
        }
    }

    /// Samples in a packet; `None` if it is empty, too long, or no packet of this codec.
    pub fn samples(&self, payload: &[u8]) -> Option<usize> {
        match self {
            Self::G711(_) | Self::G722(_) => Some(payload.len()).filter(|length| (1..=MAX_OCTETS).contains(length)),
            Self::Opus(_) => OpusDecoder::samples(payload),
        }
    }

    /// Decodes a packet into the beginning of `out`; the number of samples, `None` if it cannot be decoded.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Option<usize> {
        let length = payload.len().min(out.len());
        match self {
            Self::G711(law) => law.decode_into(payload, out),
            Self::G722(decoder) => decoder.decode(payload, out),
            Self::Opus(decoder) => return decoder.decode(payload, out),
        }
        Some(length)
    }

    /// Fills `out` with what was lost before `next`, if this codec can tell.
    pub fn recover(&mut self, next: &[u8], out: &mut [i16]) -> bool {
        match self {
            Self::G711(_) | Self::G722(_) => false,
            Self::Opus(decoder) => decoder.recover(next, out),
        }
    }

    /// Fills `out` with what might have come, if this codec can tell.
    pub fn conceal(&mut self, out: &mut [i16]) -> bool {
        match self {
            Self::G711(_) | Self::G722(_) => false,
            Self::Opus(decoder) => decoder.conceal(out),
        }
    }

    /// Whether a payload says that its sender pauses (discontinuous transmission).
    pub fn is_pause(&self, payload: &[u8]) -> bool {
        matches!(self, Self::Opus(_)) && payload.len() <= 2
    }
}
