//! The control plane behind the edge: what the node asks it and tells it over HTTP and a WebSocket.
//! The edge's own decisions are not here; nor is what a node does without one (`embedded`).

mod admission;
mod client;
mod delivery;
mod known;
mod link;
mod withdrawal;

use futures::FutureExt;
use futures::future::BoxFuture;

pub use admission::{AdmissionConfig, Admissions, AnsweredBy};
pub use client::{EdgeError, SignedClient};
pub use delivery::{Courier, Delivery, Progress};
pub use link::{Link, LinkedNode};
pub use withdrawal::Withdrawals;

use super::{CallRequest, ControlPlane, Decision};

impl ControlPlane for Admissions {
    fn authorise(&self, request: CallRequest) -> BoxFuture<'_, Decision> {
        self.ask(request).boxed()
    }
}
