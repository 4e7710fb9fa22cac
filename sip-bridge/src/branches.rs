//! The early dialogs of a call of ours, one for each side that answers reliably, and their PRACKs (RFC 3261 12.1.2,
//! RFC 3262 4). Not here: the INVITE (`invite_client`), answered dialogs (`dialog`).

use crate::agent::Agent;
use crate::dialog::core::DialogCore;
use crate::dialog::{DialogEnd, DialogEvent};
use crate::message::headers::{self, plain};
use futures::channel::mpsc;
use rsipstack::sip::{Method, Response};
use std::sync::Arc;

/// A call that forks into more is acknowledged in these only.
const MAX_BRANCHES: usize = 16;

/// One side that may answer.
struct Branch {
    core: Arc<DialogCore>,
    events: Option<mpsc::Receiver<Box<DialogEvent>>>,
    /// RSeq of the last response taken.
    rseq: u32,
    /// Their answer to our offer, if it came reliably: later ones are ignored (RFC 3261 13.2.1).
    answer: Option<String>,
}

/// All of them. Dropping it forgets those that did not answer.
pub(crate) struct Branches {
    agent: Arc<Agent>,
    open: Vec<Branch>,
}

/// A dialog made or known, with its events unless they were taken before.
pub(crate) type Made = (Arc<DialogCore>, mpsc::Receiver<Box<DialogEvent>>);

impl Branches {
    pub fn new(agent: Arc<Agent>) -> Self {
        Self { agent, open: Vec::new() }
    }

    /// RSeq of a response that has to be acknowledged.
    pub fn rseq_of(response: &Response) -> Option<u32> {
        let required = headers::has_option(&response.headers, "Require", "100rel");
        headers::value(&response.headers, "RSeq").filter(|_| required)?.parse().ok()
    }

    /// Takes a reliable response and sends its PRACK. False when it was taken before, or overtook another: it is
    /// repeated until its turn comes.
    pub fn take(&mut self, rseq: u32, invite_cseq: u32, answer: Option<&str>, made: Option<Made>) -> bool {
        // Without a tag there is no dialog to acknowledge it in.
        let Some((core, events)) = made.filter(|(core, _)| !core.id.remote_tag.is_empty()) else { return false };
        let full = self.open.len() >= MAX_BRANCHES;
        let known = self.open.iter_mut().find(|branch| branch.core.id == core.id);
        let branch = match known {
            Some(branch) if branch.rseq.checked_add(1) != Some(rseq) => return false,
            Some(branch) => {
                branch.rseq = rseq;
                branch
            }
            None if full => return false,
            None => {
                self.agent.dialogs.insert(core.clone());
                self.open.push(Branch { core, events: Some(events), rseq, answer: None });
                let Some(branch) = self.open.last_mut() else { return false };
                branch
            }
        };
        if branch.answer.is_none() {
            branch.answer = answer.map(str::to_owned);
        }
        let (agent, core) = (self.agent.clone(), branch.core.clone());
        self.agent.spawn(async move {
            let rack = plain("RAck", format!("{rseq} {invite_cseq} INVITE"));
            if let Err(error) = core.exchange(&agent, Method::PRack, vec![rack], None).await {
                tracing::debug!(call = %core.id.call_id, %error, "PRACK failed");
            }
        });
        true
    }

    /// The dialog of a 2xx: the early one, if there is one, and the answer it has already.
    pub fn answered(&mut self, made: Made) -> (Made, Option<String>) {
        let known = self.open.iter_mut().find(|branch| branch.core.id == made.0.id);
        match known.and_then(|branch| Some(((branch.core.clone(), branch.events.take()?), branch.answer.clone()))) {
            Some(early) => early,
            None => (made, None),
        }
    }

    /// Forgets the sides that did not answer.
    pub fn forget(&mut self) {
        for branch in self.open.drain(..) {
            if !branch.core.is_answered() {
                branch.core.end(DialogEnd::Failed("another side answered, or nobody".to_owned()));
                self.agent.dialogs.remove(&branch.core.id);
            }
        }
    }
}

impl Drop for Branches {
    fn drop(&mut self) {
        self.forget();
    }
}
