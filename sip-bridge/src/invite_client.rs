//! The client side of the INVITE that makes a call: one task owns the stack's transaction, reports its
//! answers, sends CANCEL when wished (RFC 3261 9.1, 13.2.2, 17.1.1). The stack acknowledges.
//! Not here: building the INVITE (`outgoing`).

use crate::agent::Agent;
use crate::dialog::core::DialogCore;
use crate::dialog::{Dialog, DialogEnd, hang_up};
use crate::message::body::{self, Body};
use crate::message::request;
use crate::outgoing::{Progress, Setup};
use crate::transport::Flow;
use crate::{CallInfo, SipError};
use rsipstack::sip::{Method, Request, Response, SipMessage};
use rsipstack::transaction::Transaction;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::{TransactionEvent, TransactionEventSender};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, oneshot};

/// Asks the task to give up.
pub(crate) struct Wish {
    wanted: Arc<AtomicBool>,
    wake: TransactionEventSender,
    key: TransactionKey,
}

impl Wish {
    pub fn cancel(&self) {
        self.wanted.store(true, Ordering::Release);
        // Makes `receive` return, without a change of the transaction's state; an error is a call that is over.
        let _ = self.wake.send(TransactionEvent::Terminate(self.key.clone()));
    }
}

/// One INVITE of ours and its task.
pub(crate) struct InviteClient {
    agent: Arc<Agent>,
    transaction: Transaction,
    flow: Flow,
    info: CallInfo,
    setup: Option<Setup>,
    progress: Option<mpsc::UnboundedSender<Progress>>,
    cancel_wanted: Arc<AtomicBool>,
    /// Set 64*T1 after CANCEL: nobody answers the INVITE any more (RFC 3261 9.1).
    forsaken: Arc<AtomicBool>,
    cancel_sent: bool,
    /// A provisional answer came, so CANCEL may go out.
    provisional: bool,
    /// Tag of the side whose 200 we took.
    answered_by: Option<String>,
}

impl InviteClient {
    pub fn new(
        agent: Arc<Agent>,
        invite: Request,
        flow: Flow,
        info: CallInfo,
        setup: Setup,
        progress: mpsc::UnboundedSender<Progress>,
    ) -> Result<(Self, Wish), SipError> {
        let key = TransactionKey::from_request(&invite, TransactionRole::Client)
            .map_err(|error| SipError::Send { method: Method::Invite.to_string(), why: error.to_string() })?;
        let mut transaction =
            Transaction::new_client(key.clone(), invite, agent.stack.clone(), Some(flow.connection.clone()));
        transaction.destination = Some(flow.destination.clone());
        let wanted = Arc::new(AtomicBool::new(false));
        let wish = Wish { wanted: wanted.clone(), wake: transaction.tu_sender.clone(), key };
        let client = Self {
            agent,
            transaction,
            flow,
            info,
            setup: Some(setup),
            progress: Some(progress),
            cancel_wanted: wanted,
            forsaken: Arc::default(),
            cancel_sent: false,
            provisional: false,
            answered_by: None,
        };
        Ok((client, wish))
    }

    /// Runs until the transaction is over: for an answered call 64*T1 longer, to acknowledge repeated 200s.
    pub async fn run(mut self) {
        if let Err(error) = self.transaction.send().await {
            return self.fail(503, error.to_string());
        }
        loop {
            match self.transaction.receive().await {
                Some(SipMessage::Response(response)) => self.response(&response),
                Some(SipMessage::Request(_)) => {}
                None if self.transaction.is_terminated() => break,
                None if self.forsaken.load(Ordering::Acquire) => {
                    self.fail(487, "No Answer After CANCEL".to_owned());
                    break;
                }
                None => {}
            }
            self.cancel_if_wanted();
        }
        self.fail(408, "Request Timeout".to_owned());
    }

    fn response(&mut self, response: &Response) {
        let code = response.status_code.code();
        match code {
            100 => self.provisional = true,
            101..200 => {
                self.provisional = true;
                self.report(Progress::Ringing(code));
            }
            200..300 => self.success(response),
            _ => {
                let reason = response.wire_reason.clone();
                self.fail(code, reason.unwrap_or_else(|| response.status_code.text().to_owned()));
            }
        }
    }

    fn success(&mut self, response: &Response) {
        let Some((core, events)) =
            DialogCore::outgoing(self.info.clone(), &self.transaction.original, response, &self.flow)
        else {
            return self.fail(502, "200 Without A Usable Contact".to_owned());
        };
        match &self.answered_by {
            // A repeated 200; the stack has acknowledged it again.
            Some(tag) if *tag == core.id.remote_tag => return,
            // Another branch of a forked call: it is acknowledged and hung up (RFC 3261 13.2.2.4).
            Some(_) => {
                self.agent.dialogs.insert(core.clone());
                let (done, _) = oneshot::channel();
                return hang_up(
                    &self.agent,
                    &core,
                    DialogEnd::LocalBye,
                    Some("another branch answered".to_owned()),
                    done,
                );
            }
            None => self.answered_by = Some(core.id.remote_tag.clone()),
        }
        self.agent.dialogs.insert(core.clone());
        self.setup = None;
        // From here on the dialog hangs up when nobody takes it.
        let dialog = Dialog::new(self.agent.clone(), core, events);
        match body::read(response, &response.body) {
            Body::Sdp(answer) => {
                self.report(Progress::Answered { dialog, answer });
                self.progress = None;
            }
            _ => self.fail(502, "200 Without An Answer".to_owned()),
        }
    }

    fn report(&self, progress: Progress) {
        if let Some(listener) = &self.progress {
            // Nobody listens: what is inside is dropped, a dialog hangs up.
            let _ = listener.send(progress);
        }
    }

    /// The call is over; only the first reason counts.
    fn fail(&mut self, code: u16, reason: String) {
        self.report(Progress::Failed { code, reason });
        self.progress = None;
        self.setup = None;
    }

    fn cancel_if_wanted(&mut self) {
        let wanted = self.cancel_wanted.load(Ordering::Acquire);
        let open = self.setup.is_some() && self.provisional;
        if !wanted || !open || std::mem::replace(&mut self.cancel_sent, true) {
            return;
        }
        let cancel = request::cancel(&self.transaction.original, &self.agent.user_agent);
        let (agent, flow, forsaken) = (self.agent.clone(), self.flow.clone(), self.forsaken.clone());
        let (wake, key) = (self.transaction.tu_sender.clone(), self.transaction.key.clone());
        self.agent.spawn(async move {
            if let Err(error) = agent.transact(cancel, flow).await {
                tracing::debug!(%key, %error, "CANCEL failed");
            }
            tokio::time::sleep(agent.transaction_timeout()).await;
            forsaken.store(true, Ordering::Release);
            let _ = wake.send(TransactionEvent::Terminate(key));
        });
    }
}
