//! What a call's media may be: codecs and how Opus is encoded, and whether they are encrypted.
//! What two sides agree on is negotiated in `sip-bridge`.

use serde::{Deserialize, Serialize};
use sip_bridge::sdp::{Codec, UnknownCodec};

use super::ConfigError;
use crate::audio::codec::OpusSettings;

/// Whether media is encrypted (SRTP).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SrtpMode {
    /// Never; who offers nothing else is refused.
    Off,
    /// Where the other side wants it.
    #[default]
    Optional,
    /// Always; who offers media in the clear is refused.
    Required,
}

/// How our own offers bring SRTP keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SrtpOffer {
    /// They do not.
    #[default]
    Plain,
    /// In the SDP (RFC 4568).
    Sdes,
    /// By a DTLS handshake (RFC 5763).
    Dtls,
}

/// How Opus is encoded, where a call uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OpusConfig {
    /// Effort, 0 to 10.
    pub complexity: u8,
    /// bit/s, unless the other side wants less.
    pub bitrate: u32,
    /// Send what gets lost once more, coarsely, while the other side reports loss and can use it.
    pub fec: bool,
    /// Do not send silence, where the other side likes that.
    pub dtx: bool,
}

/// Codecs by name, best first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct CodecOrder(pub Vec<Codec>);

// === impl OpusConfig ===

impl Default for OpusConfig {
    fn default() -> Self {
        let OpusSettings { complexity, bitrate, fec, dtx } = OpusSettings::default();
        Self { complexity, bitrate, fec, dtx }
    }
}

impl OpusConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.complexity > 10 {
            return Err(ConfigError::OpusComplexity(self.complexity));
        }
        if !(6000..=64_000).contains(&self.bitrate) {
            return Err(ConfigError::OpusBitrate(self.bitrate));
        }
        Ok(())
    }
}

// === impl CodecOrder ===

impl TryFrom<Vec<String>> for CodecOrder {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let codecs: Vec<Codec> =
            names.iter().map(|name| name.parse()).collect::<Result<_, UnknownCodec>>().map_err(|e| e.to_string())?;
        let twice = codecs.iter().enumerate().find(|(at, codec)| codecs.iter().take(*at).any(|c| c == *codec));
        match twice {
            Some((_, codec)) => Err(format!("{} is named twice", codec.name())),
            None if codecs.is_empty() => Err("no codec is named: the node would refuse every call".to_owned()),
            None => Ok(Self(codecs)),
        }
    }
}

impl From<CodecOrder> for Vec<String> {
    fn from(order: CodecOrder) -> Self {
        order.0.into_iter().map(|codec| codec.name().to_owned()).collect()
    }
}
