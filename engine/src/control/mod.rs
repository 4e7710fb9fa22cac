//! Who may call and which agent answers: the port `ControlPlane`, the embedded one and the edge's; where facts go.
//! Calls, media and signalling know of it only through the port.

mod admitted;
mod agent;
mod dialled;
mod edge;
mod embedded;
mod spool;
mod variables;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use edge_protocol::{CallerIdentity, Direction};
use futures::future::BoxFuture;
use thiserror::Error;

pub use admitted::{Admitted, BadAcceptance, Route};
pub use agent::{AgentError, AgentProfile};
pub use dialled::{bare_number, dialled};
pub use edge::{
    AdmissionConfig, Admissions, AnsweredBy, Courier, Delivery, EdgeError, Link, LinkedNode, Progress, SignedClient,
    Withdrawals,
};
pub use embedded::{Embedded, EmbeddedError};
pub use spool::{CallTail, EventSpool, Events, SpoolConfig, SpoolEnd, SpoolError, replay};
pub use variables::Variables;

/// What decides over calls.
pub trait ControlPlane: Send + Sync {
    /// May this call be answered (or made), and by whom? Asked once, before it is.
    fn authorise(&self, request: CallRequest) -> BoxFuture<'_, Decision>;
}

/// A call that wants in, as its INVITE tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRequest {
    /// Tandem's id of the call (UUIDv7).
    pub call_id: String,
    /// A call the node is asked to make is authorised too: `request_uri` then names the number it calls from.
    pub direction: Direction,
    /// SIP `Call-ID` (RFC 3261 section 20.8); empty where there is none yet.
    pub sip_call_id: String,
    /// SIP `From` URI.
    pub from: String,
    /// SIP `To` URI.
    pub to: String,
    /// Where the INVITE is addressed to; it, not `To`, names the number that is called (RFC 3261 section 8.1.1.1).
    pub request_uri: String,
    /// Where the INVITE came from.
    pub source: SocketAddr,
    /// Headers that sip-bridge passes through, in order.
    pub headers: Vec<(String, String)>,
    /// Who vouches for the caller's number; `None` where that is not verified.
    pub identity: Option<CallerIdentity>,
}

/// The answer to [`ControlPlane::authorise`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The call may be answered, like this.
    Accept(Box<Admitted>),
    Refuse(Refusal),
}

/// A call that is turned away: a SIP final response (RFC 3261 section 21).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 400 to 699.
    pub code: u16,
    /// Reason phrase.
    pub reason: String,
}

/// A fact that was not taken, and so is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PublishError {
    #[error("the disk is so far behind that no more events can wait for it")]
    Full,
    #[error("the event spool is closed")]
    Closed,
}
