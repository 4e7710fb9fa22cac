//! SIP signalling as a library: calls in and out, dialogs, SDP offer and answer (RFC 3261, 3264, 8866).
//! Not here: media. Nothing in this crate opens an RTP socket or looks at a sample.

mod admission;
mod agent;
mod branches;
mod call_info;
mod carrier;
mod dialog;
mod digest;
mod dispatch;
mod endpoint;
mod error;
mod failure;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod identity;
mod incoming;
mod invite_client;
mod message;
mod outgoing;
mod receiving;
mod redirect;
pub mod sdp;
mod server;
mod session_timer;
mod transport;
mod wake;

pub use admission::Admission;
pub use call_info::CallInfo;
pub use carrier::{Diversion, Party};
pub use dialog::{
    Dialog, DialogEnd, DialogEvent, DialogHandle, OfferReply, ReferReply, Referral, Transfer, TransferProgress,
};
pub use digest::Credentials;
pub use digest::server::DigestConfig;
pub use endpoint::{Endpoint, EndpointConfig, EndpointHandle, Timers};
pub use error::{BindError, SipError};
pub use failure::Failure;
pub use incoming::{IncomingCall, Rejection};
pub use message::replaces::Replaces;
pub use message::uri::Protocol;
pub use outgoing::{OutgoingCall, OutgoingTarget, Progress};
pub use session_timer::{PreferredRefresher, SessionTimers};
pub use transport::TlsConfig;
