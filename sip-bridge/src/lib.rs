//! SIP signalling as a library: calls in and out, dialogs, SDP offer and answer (RFC 3261, 3264, 8866).
//! Not here: media. Nothing in this crate opens an RTP socket or looks at a sample.

mod admission;
mod agent;
mod call_info;
mod dialog;
mod dispatch;
mod endpoint;
mod error;
mod incoming;
mod invite_client;
mod invite_server;
mod message;
mod outgoing;
pub mod sdp;
mod transport;

pub use admission::Admission;
pub use call_info::CallInfo;
pub use dialog::{Dialog, DialogEnd, DialogEvent, DialogHandle, OfferReply};
pub use endpoint::{Endpoint, EndpointConfig, EndpointHandle, Timers};
pub use error::{BindError, SipError};
pub use incoming::{IncomingCall, Rejection};
pub use outgoing::{OutgoingCall, OutgoingTarget, Progress};
