//! SDP for a telephone call (RFC 8866) by offer and answer (RFC 3264): G.711 and telephone-event (RFC 4733).
//! Not here: sockets, SIP, media; everything is a function of text and addresses.

mod answer;
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

pub use answer::{accept_answer, answer};
pub use crypto::{Mki, SdesKey, SdesKeys, Suite};
pub use error::SdpError;
pub use fingerprint::{DtlsRole, Fingerprint, HashFunction};
pub use hold::on_hold;
pub use offer::offer;
pub use security::{MediaSecurity, OfferedKeying, Security, SrtpPolicy};
use std::net::{IpAddr, SocketAddr};

/// Packet length we send and ask for, ms.
pub const PTIME_MS: u32 = 20;

/// Payload type we offer for telephone-event.
pub const TELEPHONE_EVENT: u8 = 101;

/// What we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law, static payload type 0, 8000 Hz.
    Pcmu,
    /// G.711 A-law, static payload type 8, 8000 Hz.
    Pcma,
}

impl Codec {
    /// All of them, in the order we offer them.
    pub const ALL: [Self; 2] = [Self::Pcmu, Self::Pcma];

    /// Encoding name of a=rtpmap (RFC 3551).
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// Payload type that needs no a=rtpmap (RFC 3551 table 4).
    pub fn static_payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }
}

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
    /// Number the codec goes by in RTP, both ways.
    pub payload_type: u8,
    /// Payload type of telephone-event at 8000 Hz, when both speak it.
    pub telephone_event: Option<u8>,
    /// Packet length the other side asked for, ms; 20 when it did not say.
    pub ptime_ms: u32,
    /// Where our RTP goes. Unspecified address while the other side holds the old way (c=0.0.0.0).
    pub remote_rtp: SocketAddr,
    /// Where our RTCP goes: a=rtcp (RFC 3605), the RTP address when multiplexed, else the next port.
    pub remote_rtcp: SocketAddr,
    pub rtcp_mux: bool,
    pub direction: Direction,
    pub security: MediaSecurity,
}
