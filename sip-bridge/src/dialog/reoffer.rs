//! The answer owed to a re-INVITE or UPDATE (RFC 3261 14.2, RFC 3311 5.2).
//! Not here: receiving them (`requests`).

use super::core::DialogCore;
use crate::Rejection;
use crate::agent::{Agent, lock};
use crate::message::response::Reply;
use std::sync::Arc;

/// The answer owed to a re-INVITE or UPDATE. Dropping it answers 488: the session stays as it was.
pub struct OfferReply {
    agent: Arc<Agent>,
    core: Arc<DialogCore>,
    /// What is answered; `None` when we offer.
    offer: Option<String>,
    answered: bool,
}

impl OfferReply {
    pub(super) fn new(agent: Arc<Agent>, core: Arc<DialogCore>, offer: Option<String>) -> Self {
        Self { agent, core, offer, answered: false }
    }

    /// 200 with our answer, or with our offer when there was none.
    pub async fn accept(self, sdp: String) {
        self.answer(sdp);
    }

    pub(super) fn answer(mut self, sdp: String) {
        self.answered = true;
        lock(&self.core.session).described(sdp.clone(), self.offer.take());
        let contact = self.core.contact(&self.agent);
        self.core.answer_reoffer(Reply::new(200).header("Contact", contact).sdp(sdp));
    }

    /// A refusal; the session stays as it was.
    pub async fn reject(mut self, why: Rejection) {
        self.answered = true;
        self.core.answer_reoffer(Reply::rejection(&why, &self.agent.warn_agent()));
    }
}

impl Drop for OfferReply {
    fn drop(&mut self) {
        if !self.answered {
            self.core.answer_reoffer(Reply::new(488));
        }
    }
}

impl std::fmt::Debug for OfferReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OfferReply").field("call_id", &self.core.id.call_id).finish_non_exhaustive()
    }
}
