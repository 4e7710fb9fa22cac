//! The codecs of an RTP leg: their names and clocks, and encoders and decoders between packets and 8 kHz samples.
//! Which packet is played when is `playout`'s; the laws of G.711 themselves are `g711`.

mod comfort_noise;
mod decoder;
mod decoding;
mod encoder;
mod g722;
mod opus;
mod packets;

#[cfg(test)]
mod tests;

pub use comfort_noise::ComfortNoise;
pub use decoder::Decoder;
pub(super) use decoding::Decoding;
pub use encoder::{Encoded, Encoder};
pub use opus::OpusSettings;

use super::g711::Law;

/// How the audio of a stream is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    G711(Law),
    /// 64 kbit/s, of which the lower sub-band is used: all that an 8 kHz call can hear.
    G722,
    Opus(OpusSettings),
}

// === impl Codec ===

impl Codec {
    /// Encoding name in the RTP/AVP registry (RFC 3551, RFC 7587).
    pub const fn name(self) -> &'static str {
        match self {
            Self::G711(Law::Mu) => "PCMU",
            Self::G711(Law::A) => "PCMA",
            Self::G722 => "G722",
            Self::Opus(_) => "opus",
        }
    }

    /// Clock of its RTP timestamps, Hz. G.722's is 8000 by an old mistake that stays (RFC 3551 section 4.5.2).
    pub const fn clock_rate_hz(self) -> u32 {
        8000 * self.ticks_per_sample()
    }

    /// RTP clock ticks in one sample of 8 kHz.
    pub const fn ticks_per_sample(self) -> u32 {
        match self {
            Self::G711(_) | Self::G722 => 1,
            Self::Opus(_) => 6,
        }
    }

    /// The law of a call that begins with this codec: its own, or µ-law where it has none.
    pub const fn law(self) -> Law {
        match self {
            Self::G711(law) => law,
            Self::G722 | Self::Opus(_) => Law::Mu,
        }
    }

    /// Whether what was encoded for the one is decoded by the other: how it was asked for does not matter.
    pub fn decodes(self, other: Self) -> bool {
        self.name() == other.name()
    }
}

impl From<Law> for Codec {
    fn from(law: Law) -> Self {
        Self::G711(law)
    }
}
