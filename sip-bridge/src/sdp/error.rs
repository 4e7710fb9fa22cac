//! Why a description cannot be spoken, and the SIP answer that says so (RFC 3261 20.43, 21.4.26).
//! Not here: finding that out.

use crate::Rejection;

/// Why a description cannot be spoken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Line number from 1.
    #[error("SDP line {line}: {why}: {text:?}")]
    Malformed { line: usize, why: &'static str, text: String },
    #[error("no SDP: {0}")]
    Empty(&'static str),
    #[error("SDP too large: {what} over {limit}")]
    TooLarge { what: &'static str, limit: usize },
    #[error("no audio: offered {offered}; spoken here audio")]
    NoAudio { offered: String },
    #[error("no codec in common: offered {offered}; spoken here {spoken}")]
    NoCodec { offered: String, spoken: String },
    #[error("transport {offered:?} not spoken; spoken here {spoken}")]
    Transport { offered: String, spoken: &'static str },
    #[error("no keys for SRTP: {0}")]
    Keys(String),
    #[error("address {0:?} cannot be reached from here")]
    Address(String),
    #[error("the other side refused the audio stream")]
    Refused,
}

impl SdpError {
    /// Warn-code of RFC 3261 20.43; `None` for what is not SDP at all.
    pub fn warn_code(&self) -> Option<u16> {
        match self {
            Self::Malformed { .. } | Self::Empty(_) | Self::TooLarge { .. } => None,
            Self::Address(_) => Some(301),
            Self::Transport { .. } => Some(302),
            Self::NoAudio { .. } => Some(304),
            Self::NoCodec { .. } => Some(305),
            Self::Refused | Self::Keys(_) => Some(399),
        }
    }
}

impl From<&SdpError> for Rejection {
    /// 488 with Warning for what we cannot speak, 400 for what is not SDP, 413 for what is too large.
    fn from(error: &SdpError) -> Self {
        let code = match error {
            SdpError::Malformed { .. } | SdpError::Empty(_) => 400,
            SdpError::TooLarge { .. } => 413,
            _ => 488,
        };
        Self { warning: Some((error.warn_code().unwrap_or(399), error.to_string())), ..Self::new(code) }
    }
}

impl From<SdpError> for Rejection {
    fn from(error: SdpError) -> Self {
        Self::from(&error)
    }
}
