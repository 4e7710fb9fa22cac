//! How well a call's media travelled, as measured at the engine's RTP edge.
//! Units follow RFC 3550; the score is an estimate by the E-model (ITU-T G.107), not a measurement of ears.

use serde::{Deserialize, Serialize};

/// Media quality over a whole call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaQuality {
    /// RTP packets received and accepted.
    pub packets_received: u64,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Packets that never came or came too late to be played.
    pub packets_lost: u64,
    /// Packets from another source than the one the call is locked to, or not RTP at all.
    pub packets_ignored: u64,
    /// SRTP packets whose authentication failed; all of them, if the keys do not match.
    #[serde(default)]
    pub packets_unauthentic: u64,
    /// Interarrival jitter at the end of the call, milliseconds (RFC 3550 section 6.4.1).
    pub jitter_ms: f32,
    /// Audio made up for what was missing, milliseconds.
    pub concealed_ms: u64,
    /// Mean opinion score estimate, 1.0 to 4.5.
    pub mos: f32,
}
