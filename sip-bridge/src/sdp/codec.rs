//! The codecs of a telephone call: names, clock rates, payload types (RFC 3551, 7587), and what Opus is asked to be.
//! Not here: which of them a call uses (`select`).

use std::fmt::Write as _;
use std::str::FromStr;

/// Payload type of comfort noise at 8000 Hz (RFC 3389 4), static.
pub const COMFORT_NOISE: u8 = 13;

/// What we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law, static payload type 0, 8000 Hz.
    Pcmu,
    /// G.711 A-law, static payload type 8, 8000 Hz.
    Pcma,
    /// Static payload type 9. Its clock says 8000 Hz though it samples at 16,000 (RFC 3551 4.5.2).
    G722,
    /// Dynamic payload type; clock 48,000 Hz and two channels whatever is in it (RFC 7587 7).
    Opus,
}

/// A name that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no codec spoken here: PCMU, PCMA, G722, opus")]
pub struct UnknownCodec(pub String);

/// What one side asks of the Opus it is sent (RFC 7587 6.1); the defaults are the RFC's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusWishes {
    /// Highest sample rate it plays, Hz.
    pub max_playback_rate_hz: u32,
    /// Highest mean bit rate it takes, bit/s; `None`: any.
    pub max_average_bitrate: Option<u32>,
    /// It makes use of forward error correction.
    pub fec: bool,
    /// It likes silence not to be sent.
    pub dtx: bool,
}

// === impl Codec ===

impl Codec {
    /// All of them, by default in the order we prefer them: what costs least first, and of the rest what bears loss.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::Opus, Self::G722];

    /// Encoding name of a=rtpmap (RFC 3551, RFC 7587).
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// Clock of its RTP timestamps.
    pub fn clock_rate_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8000,
            Self::Opus => 48_000,
        }
    }

    /// Payload type that needs no a=rtpmap (RFC 3551 table 4).
    pub fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            Self::G722 => Some(9),
            Self::Opus => None,
        }
    }

    /// Payload type it goes by in our offers.
    pub fn offered_payload_type(self) -> u8 {
        self.static_payload_type().unwrap_or(96)
    }

    /// The two laws of G.711 are one choice: what matters between them is which the other side likes.
    pub(super) fn is_like(self, other: Self) -> bool {
        let is_g711 = |codec| matches!(codec, Self::Pcmu | Self::Pcma);
        self == other || (is_g711(self) && is_g711(other))
    }

    /// a=rtpmap, and a=fmtp where there is one.
    pub(super) fn lines(self, payload_type: u8) -> String {
        let channels = if self == Self::Opus { "/2" } else { "" };
        let mut text = format!("a=rtpmap:{payload_type} {}/{}{channels}\r\n", self.name(), self.clock_rate_hz());
        if self == Self::Opus {
            // The call is narrowband inside: more would be sent for nothing. Writing to a String cannot fail.
            let parameters = "maxplaybackrate=8000;sprop-maxcapturerate=8000;stereo=0;sprop-stereo=0;useinbandfec=1";
            let _ = write!(text, "a=fmtp:{payload_type} {parameters}\r\n");
        }
        text
    }
}

impl FromStr for Codec {
    type Err = UnknownCodec;

    fn from_str(name: &str) -> Result<Self, UnknownCodec> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownCodec(name.to_owned()))
    }
}

// === impl OpusWishes ===

impl Default for OpusWishes {
    fn default() -> Self {
        Self { max_playback_rate_hz: 48_000, max_average_bitrate: None, fec: false, dtx: false }
    }
}

impl OpusWishes {
    /// Reads the value of a=fmtp, `useinbandfec=1; usedtx=1`. What cannot be read is as if it were not there.
    pub(super) fn parse(parameters: &str) -> Self {
        let mut wishes = Self::default();
        for (name, value) in parameters.split(';').filter_map(|parameter| parameter.split_once('=')) {
            let Ok(value) = value.trim().parse::<u32>() else { continue };
            match name.trim().to_ascii_lowercase().as_str() {
                "maxplaybackrate" => wishes.max_playback_rate_hz = value,
                "maxaveragebitrate" => wishes.max_average_bitrate = Some(value),
                "useinbandfec" => wishes.fec = value == 1,
                "usedtx" => wishes.dtx = value == 1,
                _ => {}
            }
        }
        wishes
    }
}
