//! What two SDP bodies agreed on for one audio stream, as the media code needs it.
//! The negotiation itself (RFC 3264) is `sip_bridge::sdp`; nothing here parses or sends.

use std::net::SocketAddr;

use super::leg::StreamSeed;
use crate::audio::g711::Law;
use crate::rtp::dtls;
use crate::rtp::srtp::{MasterKey, Mki};

/// Payload bytes (= samples at 8 kHz) of the longest packet we send: 60 ms.
pub const MAX_PAYLOAD_BYTES: usize = 480;

/// One negotiated G.711 stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaSession {
    pub law: Law,
    /// RTP payload type of the audio, both ways.
    pub payload_type: u8,
    /// RTP payload type of RFC 4733 telephone events, if agreed on.
    pub telephone_event: Option<u8>,
    /// Frames of 20 ms the other side wants in a packet (`a=ptime`), 1 to 3.
    pub frames_per_packet: u8,
    /// Where the SDP says audio is to be sent.
    pub remote_rtp: SocketAddr,
    /// Where RTCP is to be sent; the same as `remote_rtp` with rtcp-mux (RFC 5761).
    pub remote_rtcp: SocketAddr,
    pub rtcp_mux: bool,
    /// We may send: the other side's direction is sendrecv or recvonly.
    pub sends: bool,
    /// The other side sends: its direction is sendrecv or sendonly.
    pub receives: bool,
    pub security: MediaSecurity,
}

/// How a stream is encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum MediaSecurity {
    #[default]
    Plain,
    /// SRTP with keys the SDP brought (RFC 4568).
    Srtp(SrtpKeys),
    /// SRTP with keys a handshake makes (RFC 5764).
    Dtls(dtls::Terms),
}

/// A key for each direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrtpKeys {
    pub ours: MasterKey,
    pub theirs: MasterKey,
    /// The other side's packets name their key.
    pub mki: Option<Mki>,
}

/// What a call's media starts from.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one a call, and the larger one is the one of most calls")]
pub enum MediaSetup {
    /// RTP as two SDP bodies agreed on it, with the random beginnings of our own stream.
    Rtp { session: MediaSession, seed: StreamSeed },
    /// Frames handed over in order, as a WebSocket brings them.
    Frames { law: Law },
}

/// Encoding name in the RTP/AVP registry (RFC 3551).
pub fn codec_name(law: Law) -> &'static str {
    match law {
        Law::Mu => "PCMU",
        Law::A => "PCMA",
    }
}

// === impl MediaSetup ===

impl MediaSetup {
    /// Law of the audio as the call begins.
    pub fn law(&self) -> Law {
        match self {
            Self::Rtp { session, .. } => session.law,
            Self::Frames { law } => *law,
        }
    }
}

// === impl MediaSession ===

impl MediaSession {
    /// True while the other side keeps the call on hold: it does not listen or does not talk.
    pub fn on_hold(&self) -> bool {
        !(self.sends && self.receives)
    }
}
