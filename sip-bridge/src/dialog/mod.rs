//! An answered call as the application sees it: its events, and how to end it (RFC 3261 12, 15).
//! Not here: how calls begin (`incoming`, `outgoing`).

pub(crate) mod core;
mod modify;
mod referral;
pub(crate) mod refresh;
pub(crate) mod reliable;
pub(crate) mod reoffer;
pub(crate) mod requests;
mod sending;
mod session;
pub(crate) mod table;
mod transfer;
mod turns;

use self::core::DialogCore;
use crate::agent::Agent;
use crate::message::replaces::Replaces;
use crate::{CallInfo, SipError};
use futures::StreamExt;
use futures::channel::mpsc;
pub use referral::{ReferReply, Referral};
pub use reoffer::OfferReply;
use rsipstack::sip::Method;
use std::sync::Arc;
use tokio::sync::oneshot;
pub use transfer::{Transfer, TransferProgress};

/// An answered call. Dropping it ends the call with BYE.
pub struct Dialog {
    handle: DialogHandle,
    events: mpsc::Receiver<Box<DialogEvent>>,
    end_told: bool,
}

/// Acts on a call from elsewhere.
#[derive(Clone)]
pub struct DialogHandle {
    agent: Arc<Agent>,
    core: Arc<DialogCore>,
}

/// What the other side did.
#[derive(Debug)]
pub enum DialogEvent {
    /// The ACK came, or the BYE of a caller who is not to wait for it. `answer` is the ACK's SDP, when our 200 (to the
    /// INVITE or to a re-INVITE) carried the offer; empty in a late-offer call means the caller never answered our
    /// offer or hung up right behind the answer, unless `progress` had it.
    Confirmed { answer: Option<String> },
    /// A re-INVITE or UPDATE wants other media; `offer` is `None` when it asks us for an offer.
    Reoffer { offer: Option<String>, reply: OfferReply },
    /// The other side asks us to call somebody (RFC 3515), in place of a dialog of theirs if `replaces` names one.
    Refer {
        /// A `sip:`, `sips:` or `tel:` URI.
        refer_to: String,
        replaces: Option<Replaces>,
        /// URI of Referred-By (RFC 3892); nothing vouches for it.
        referred_by: Option<String>,
        reply: ReferReply,
    },
    /// INFO, already answered 200.
    Info { content_type: String, body: Vec<u8> },
    /// The last event.
    Ended { cause: DialogEnd },
}

/// Why a dialog ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialogEnd {
    RemoteBye,
    LocalBye,
    /// Nobody acknowledged our 200 for 64*T1; BYE is sent.
    AckTimeout,
    /// The session timer ran out without a refresh (RFC 4028 10); BYE is sent.
    SessionExpired,
    /// Anything else, in words.
    Failed(String),
}

impl Dialog {
    pub(crate) fn new(agent: Arc<Agent>, core: Arc<DialogCore>, events: mpsc::Receiver<Box<DialogEvent>>) -> Self {
        Self { handle: DialogHandle { agent, core }, events, end_told: false }
    }

    /// Waits for the next event. The last one is `Ended`, then `None`. Safe to cancel.
    pub async fn next_event(&mut self) -> Option<DialogEvent> {
        if let Some(event) = self.events.next().await {
            return Some(*event);
        }
        if std::mem::replace(&mut self.end_told, true) {
            return None;
        }
        let cause = self.handle.core.end_cause();
        Some(DialogEvent::Ended { cause: cause.unwrap_or_else(|| DialogEnd::Failed("endpoint stopped".to_owned())) })
    }

    pub fn info(&self) -> &CallInfo {
        &self.handle.core.info
    }

    pub fn handle(&self) -> DialogHandle {
        self.handle.clone()
    }

    /// See [`DialogHandle::bye`].
    pub async fn bye(&self, reason: Option<&str>) -> Result<(), SipError> {
        self.handle.bye(reason).await
    }
}

impl Drop for Dialog {
    fn drop(&mut self) {
        if self.handle.core.end_cause().is_none() {
            // The task goes on by itself.
            drop(self.handle.hang_up(DialogEnd::LocalBye, None));
        }
    }
}

impl DialogHandle {
    pub(crate) fn new(agent: Arc<Agent>, core: Arc<DialogCore>) -> Self {
        Self { agent, core }
    }

    /// Sends BYE and waits for its answer; `reason` becomes the text of a Reason header (RFC 3326).
    ///
    /// `Ended` is told at once. Before the caller's ACK the BYE waits for it, 64*T1 at most (RFC 3261 15).
    /// The BYE goes out even when this future is dropped.
    pub async fn bye(&self, reason: Option<&str>) -> Result<(), SipError> {
        let sent = self.hang_up(DialogEnd::LocalBye, reason.map(str::to_owned));
        sent.await.unwrap_or_else(|_| Err(SipError::Ended("the dialog ended before".to_owned())))
    }

    /// Offers other media in a re-INVITE (RFC 3261 14.1) and returns the answer's SDP.
    ///
    /// Waits for its turn while another offer is under way, and offers again when ours meets one of theirs (491).
    /// An error leaves the session as it was; 408 and 481 end the call. The exchange goes on even when this
    /// future is dropped.
    pub async fn reinvite(&self, offer: String) -> Result<String, SipError> {
        self.offer(Method::Invite, offer).await
    }

    /// Whether the other side says that it takes requests of this method (Allow, RFC 3261 20.5).
    pub fn allows(&self, method: &str) -> bool {
        self.core.peer_allows(method)
    }

    /// As [`reinvite`](Self::reinvite), by UPDATE (RFC 3311): answered at once, by sides that allow it.
    pub async fn update(&self, offer: String) -> Result<String, SipError> {
        self.offer(Method::Update, offer).await
    }

    /// Sends INFO (RFC 6086), such as `application/dtmf-relay`, and waits for its answer.
    pub async fn info(&self, content_type: &str, body: Vec<u8>) -> Result<(), SipError> {
        let (agent, core) = (self.agent.clone(), self.core.clone());
        let content_type = content_type.to_owned();
        let asked = async move { core.ask(&agent, Method::Info, Vec::new(), Some((&content_type, body))).await };
        self.detached(async move { asked.await.map(drop) }).await
    }

    async fn offer(&self, method: Method, offer: String) -> Result<String, SipError> {
        let (agent, core) = (self.agent.clone(), self.core.clone());
        self.detached(async move { modify::offer(&agent, &core, method, offer).await }).await
    }

    /// Does something in a task of its own: a request on its way is not to be forgotten with this future.
    async fn detached<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T, SipError>> + Send + 'static,
    ) -> Result<T, SipError> {
        if let Some(end) = self.core.end_cause() {
            return Err(SipError::Ended(format!("{end:?}")));
        }
        let (done, result) = oneshot::channel();
        self.agent.spawn(async move { drop(done.send(task.await)) });
        result.await.unwrap_or_else(|_| Err(SipError::Ended("endpoint stopped".to_owned())))
    }

    fn hang_up(&self, cause: DialogEnd, reason: Option<String>) -> oneshot::Receiver<Result<(), SipError>> {
        let (done, sent) = oneshot::channel();
        hang_up(&self.agent, &self.core, cause, reason, done);
        sent
    }
}

/// Ends a dialog from our side, in a task of its own. Nothing happens when it is over already.
pub(crate) fn hang_up(
    agent: &Arc<Agent>,
    core: &Arc<DialogCore>,
    cause: DialogEnd,
    reason: Option<String>,
    done: oneshot::Sender<Result<(), SipError>>,
) {
    if !core.end(cause) {
        return;
    }
    let (sender, core) = (agent.clone(), core.clone());
    agent.spawn(async move {
        let sent = core.send_bye(&sender, reason).await;
        if let Err(error) = &sent {
            tracing::debug!(call = %core.id.call_id, %error, "BYE failed; the dialog is dropped all the same");
        }
        let _ = done.send(sent);
    });
}
