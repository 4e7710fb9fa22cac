//! What can go wrong between this crate and its user.
//! Not here: SDP errors (`sdp::SdpError`) and the ways a dialog ends (`DialogEnd`).

use std::net::SocketAddr;

/// The endpoint could not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for SIP over {transport} on {listen}: {source}")]
pub struct BindError {
    pub transport: &'static str,
    pub listen: SocketAddr,
    pub source: std::io::Error,
}

/// A SIP operation could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SipError {
    /// Not a `sip:` URI, or one with characters that need escaping.
    #[error("not a SIP URI: {0:?}")]
    BadUri(String),
    /// The stack owns this header, or name or value would break the message.
    #[error("header {name:?} cannot be set to {value:?} by the application")]
    BadHeader { name: String, value: String },
    /// The call or dialog ended before.
    #[error("the call is over: {0}")]
    Ended(String),
    /// The message did not go out, or no answer came.
    #[error("cannot send {method}: {why}")]
    Send { method: String, why: String },
    /// The other side took our offer and did not answer it.
    #[error("{method} was accepted without an answer to its offer")]
    NoAnswer { method: String },
    /// The caller knows nothing of reliable provisional answers, and only those carry offers (RFC 3261 13.2.1).
    #[error("the caller takes no offer before the call is answered")]
    NotReliable,
    /// The other side said no.
    #[error("{method} was answered {code} {reason}")]
    Refused { method: String, code: u16, reason: String },
}
