//! A call that came in and is not answered yet: ring, accept, reject, or learn that the caller gave up
//! (RFC 3261 13.3). Not here: what happens once it is answered (`dialog`), and who may come in (`dispatch`).

mod provisional;

use crate::agent::{Agent, lock};
use crate::dialog::core::DialogCore;
use crate::dialog::{Dialog, DialogEnd, DialogEvent, DialogHandle, hang_up, refresh};
use crate::message::body::{self, Body};
use crate::message::response::Reply;
use crate::server::{InviteObserver, Responder};
use crate::{CallInfo, SipError};
use futures::channel::mpsc;
use rsipstack::sip::Request;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// An INVITE waiting for its final answer. Dropping it answers 480.
pub struct IncomingCall {
    pub info: CallInfo,
    /// The caller's SDP; `None` is a late offer: `accept` then takes our offer and the answer comes in the ACK.
    pub offer: Option<String>,
    /// The dialog this call is to take the place of (RFC 3891): after `accept` it is ours to end. Whoever knows its
    /// tags may ask for this.
    pub replaces: Option<DialogHandle>,
    agent: Arc<Agent>,
    core: Arc<DialogCore>,
    events: Option<mpsc::Receiver<Box<DialogEvent>>>,
    request: Arc<Request>,
    responder: Responder,
    cancelled: CancellationToken,
    /// What `progress` sent.
    described: OnceLock<String>,
}

/// A final answer that says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// 400 to 699; anything else is sent as 500.
    pub code: u16,
    /// Reason phrase; `None` takes the RFC's.
    pub reason: Option<String>,
    /// Retry-After, whole seconds, rounded up.
    pub retry_after: Option<Duration>,
    /// Code (300 to 399) and text of a Warning header (RFC 3261 20.43).
    pub warning: Option<(u16, String)>,
}

impl Rejection {
    /// Only a code, with the RFC's phrase.
    pub fn new(code: u16) -> Self {
        Self { code, reason: None, retry_after: None, warning: None }
    }
}

impl IncomingCall {
    pub(crate) fn new(
        agent: Arc<Agent>,
        core: Arc<DialogCore>,
        events: mpsc::Receiver<Box<DialogEvent>>,
        request: Arc<Request>,
        offer: Option<String>,
        responder: Responder,
        cancelled: CancellationToken,
    ) -> Self {
        let info = core.info.clone();
        Self {
            info,
            offer,
            replaces: None,
            agent,
            core,
            events: Some(events),
            request,
            responder,
            cancelled,
            described: OnceLock::new(),
        }
    }

    /// Sends 200 with our answer, or with our offer when the caller made none. What `progress` sent stands, and is
    /// waited for if it was sent reliably.
    ///
    /// The dialog's first event is `Confirmed`, or `Ended` with `AckTimeout`. An error means the caller has
    /// given up or cannot be reached; nothing is left behind then.
    pub async fn accept(mut self, sdp: String) -> Result<Dialog, SipError> {
        self.description_acknowledged().await?;
        let Some(events) = self.events.take() else {
            return Err(SipError::Ended("answered before".to_owned()));
        };
        // Made first: should this future be dropped while the 200 is on its way, the dialog sends BYE.
        let dialog = Dialog::new(self.agent.clone(), self.core.clone(), events);
        self.core.set_answered();
        let described = self.described.take();
        // An offer that has its answer is not made again.
        let silent = described.is_some() && self.offer.is_none();
        let sdp = described.unwrap_or(sdp);
        lock(&self.core.session).described(sdp.clone(), self.offer.take());
        let reply =
            Reply::new(200).header("Contact", self.core.contact(&self.agent)).header("Accept", "application/sdp");
        let reply = if silent { reply } else { reply.sdp(sdp) };
        let response = self.build(refresh::answered(&self.agent, &self.core, &self.request.headers, reply));
        match self.responder.send(&response) {
            Ok(()) => Ok(dialog),
            Err(error) => {
                self.core.end(DialogEnd::Failed(error.to_string()));
                self.agent.dialogs.remove(&self.core.id);
                Err(error)
            }
        }
    }

    /// Sends a final answer that says no.
    pub async fn reject(mut self, why: Rejection) {
        let reply = Reply::rejection(&why, &self.agent.warn_agent());
        self.refuse(reply);
    }

    /// Resolves when the caller has given up, or never acknowledged a reliable answer; 487 or 504 is sent already.
    pub async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    fn build(&self, reply: Reply) -> rsipstack::sip::Response {
        reply.build(&self.request, Some(&self.core.id.local_tag), &self.agent.user_agent)
    }

    /// Says no once; later calls do nothing.
    fn refuse(&mut self, reply: Reply) {
        if self.events.take().is_none() {
            return;
        }
        self.core.set_answered();
        self.core.end(DialogEnd::Failed(format!("rejected with {}", reply.code)));
        self.agent.dialogs.remove(&self.core.id);
        self.responder.post(&self.build(reply));
    }
}

impl Drop for IncomingCall {
    fn drop(&mut self) {
        self.refuse(Reply::new(480));
    }
}

/// What becomes of the INVITE that makes a dialog.
pub(crate) struct FirstInvite {
    pub agent: Arc<Agent>,
    pub core: Arc<DialogCore>,
    pub cancelled: CancellationToken,
    pub late_offer: bool,
    pub _handled: crate::agent::Handled,
}

impl InviteObserver for FirstInvite {
    fn cancelled(&self) {
        self.core.end(DialogEnd::Failed("cancelled by the caller".to_owned()));
        self.agent.dialogs.remove(&self.core.id);
        self.cancelled.cancel();
    }

    fn acknowledged(&self, ack: &Request) {
        let answer = match body::read(ack, &ack.body) {
            Body::Sdp(sdp) if self.late_offer => Some(sdp),
            _ => None,
        };
        self.core.confirm(answer);
    }

    fn unacknowledged(&self) {
        self.core.give_up_ack();
        let (done, _) = oneshot::channel();
        hang_up(&self.agent, &self.core, DialogEnd::AckTimeout, Some("no ACK".to_owned()), done);
    }
}
