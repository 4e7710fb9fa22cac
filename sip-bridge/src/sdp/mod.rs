//! SDP for a telephone call (RFC 8866) by offer and answer (RFC 3264): codecs, telephone-event (RFC 4733).
//! Not here: sockets, SIP, media; everything is a function of text and addresses.

mod answer;
mod codec;
mod crypto;
mod error;
mod fingerprint;
mod hold;
mod offer;
mod parser;
mod security;
mod select;
#[cfg(test)]
mod tests;

pub use answer::{Offer, accept_answer, answer};
pub use codec::{COMFORT_NOISE, Codec, OpusWishes, UnknownCodec};
pub use crypto::{Mki, SdesKey, SdesKeys, Suite};
pub use error::SdpError;
pub use fingerprint::{DtlsRole, Fingerprint, HashFunction};
pub use hold::on_hold;
pub use offer::offer;
pub use security::{MediaSecurity, OfferedKeying, Security, SrtpPolicy};
use std::net::{IpAddr, SocketAddr};

/// Packet length we send and ask for, ms.
pub const PTIME_MS: u32 = 20;

/// Payload type we offer for telephone-event at 8000 Hz.
pub const TELEPHONE_EVENT: u8 = 101;

/// The same at Opus' 48,000 Hz: events have the clock of the audio beside them (RFC 4733 2.1).
pub const TELEPHONE_EVENT_48K: u8 = 100;

/// Which way media flows, as we see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    /// Attribute name (RFC 8866 6.7).
    pub fn attribute(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The same flow seen from the other side.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            both => both,
        }
    }

    /// The same flow without our sending.
    fn without_sending(self) -> Self {
        match self {
            Self::SendRecv | Self::RecvOnly => Self::RecvOnly,
            Self::SendOnly | Self::Inactive => Self::Inactive,
        }
    }
}

/// Our end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    pub addr: IpAddr,
    /// What we speak, best first. Between PCMU and PCMA the offerer's order decides.
    pub codecs: Vec<Codec>,
    /// RTP; RTCP is the next one unless it is multiplexed.
    pub port: u16,
    /// Offer rtcp-mux, and agree to it when it is offered (RFC 5761).
    pub rtcp_mux: bool,
    /// Session id of o=: the same for the whole call.
    pub session_id: u64,
    /// Version of o=: one more for each description after the first.
    pub version: u64,
    pub security: Security,
}

impl Local {
    /// For the next description of the same call, as in the answer to a re-INVITE (RFC 3264 8).
    pub fn bump_version(&mut self) {
        self.version = self.version.wrapping_add(1);
    }
}

/// What both sides agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    pub codec: Codec,
    /// Number the codec goes by in the RTP we send.
    pub payload_type: u8,
    /// Number it goes by in the RTP we receive: as in the offer, whoever made it (RFC 3264 5.1).
    pub receive_payload_type: u8,
    /// Payload type of telephone-event, when both speak it; at the codec's clock rate if that was to be had.
    pub telephone_event: Option<u8>,
    /// Clock rate of telephone-event, Hz.
    pub event_clock_hz: u32,
    /// Payload type of comfort noise (RFC 3389), when both speak it.
    pub comfort_noise: Option<u8>,
    /// Packet length the other side asked for, ms, 20 when it did not say, and at most its a=maxptime.
    pub ptime_ms: u32,
    /// What the other side asks of Opus, if that is the codec.
    pub opus: OpusWishes,
    /// Where our RTP goes. Unspecified address while the other side holds the old way (c=0.0.0.0).
    pub remote_rtp: SocketAddr,
    /// Where our RTCP goes: a=rtcp (RFC 3605), the RTP address when multiplexed, else the next port.
    pub remote_rtcp: SocketAddr,
    pub rtcp_mux: bool,
    pub direction: Direction,
    pub security: MediaSecurity,
}
