//! What two SDP bodies agreed on for one audio stream, as the media code needs it.
//! The negotiation itself (RFC 3264) is `sip_bridge::sdp`; nothing here parses or sends.

use std::net::SocketAddr;

use super::leg::StreamSeed;
use crate::audio::FRAME_MS;
use crate::audio::codec::Codec;
use crate::audio::g711::Law;
use crate::rtp::dtls;
use crate::rtp::srtp::{MasterKey, Mki};

/// Payload bytes of the longest packet we send: 60 ms of G.711, one for each sample.
pub const MAX_PAYLOAD_BYTES: usize = 480;

/// One negotiated stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaSession {
    pub codec: Codec,
    /// RTP payload type of the audio we send.
    pub payload_type: u8,
    /// RTP payload type of the audio we receive; many send by the other one all the same, and both are taken.
    pub receive_payload_type: u8,
    /// RTP payload type of RFC 4733 telephone events, if agreed on.
    pub telephone_event: Option<u8>,
    /// Clock rate of telephone events, Hz.
    pub event_clock_hz: u32,
    /// How we press keys.
    pub keys: KeysBy,
    /// RTP payload type of RFC 3389 comfort noise, if agreed on.
    pub comfort_noise: Option<u8>,
    /// While we have nothing to say we send comfort noise, if it was agreed on, and else nothing.
    pub pauses: bool,
    /// Length of packets the other side wants (`a=ptime`, `a=maxptime`), ms.
    pub ptime_ms: u32,
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

/// How keys are pressed towards the other side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeysBy {
    /// As telephone-event (RFC 4733) where that was agreed on, else as tones.
    #[default]
    Events,
    /// As tones in the audio.
    Tones,
    /// By whoever holds the dialog (SIP INFO).
    Signalling,
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

// === impl MediaSetup ===

impl MediaSetup {
    /// Codec of the audio as the call begins.
    pub fn codec(&self) -> Codec {
        match self {
            Self::Rtp { session, .. } => session.codec,
            Self::Frames { law } => (*law).into(),
        }
    }

    /// Law of the audio as the call begins.
    pub fn law(&self) -> Law {
        match self {
            Self::Rtp { session, .. } => session.codec.law(),
            Self::Frames { law } => *law,
        }
    }
}

// === impl MediaSession ===

impl MediaSession {
    /// A stream both ways with packets of 20 ms, RTCP beside them, in the clear, and neither telephone events nor comfort noise.
    pub fn new(codec: Codec, payload_type: u8, remote: SocketAddr) -> Self {
        Self {
            codec,
            payload_type,
            receive_payload_type: payload_type,
            telephone_event: None,
            event_clock_hz: codec.clock_rate_hz(),
            keys: KeysBy::default(),
            comfort_noise: None,
            pauses: false,
            ptime_ms: FRAME_MS,
            remote_rtp: remote,
            remote_rtcp: remote,
            rtcp_mux: true,
            sends: true,
            receives: true,
            security: MediaSecurity::Plain,
        }
    }

    /// True while the other side keeps the call on hold: it does not listen or does not talk.
    pub fn on_hold(&self) -> bool {
        !(self.sends && self.receives)
    }
}
