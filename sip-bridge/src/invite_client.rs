//! The client side of the INVITE that makes a call: one task owns the stack's transaction, reports its answers,
//! sends CANCEL when wished, and sends the INVITE again when it is challenged or redirected (RFC 3261 8.1.3, 9.1,
//! 13.2.2, 17.1.1, 22.2). The stack acknowledges. Not here: building the INVITE (`outgoing`).

use crate::agent::{Agent, lock};
use crate::branches::{Branches, Made};
use crate::dialog::core::DialogCore;
use crate::dialog::{Dialog, DialogEnd, hang_up, refresh};
use crate::digest::client::{Attempts, Authenticator};
use crate::message::body::{self, Body};
use crate::message::uri::stack_uri;
use crate::message::{headers, request};
use crate::outgoing::{Progress, Setup};
use crate::redirect::Redirects;
use crate::session_timer::min_se_of;
use crate::transport::{Flow, protocol_of};
use crate::wake::Wake;
use crate::{CallInfo, Failure, SipError};
use rsipstack::sip::{HasHeaders, Header, Method, Request, Response, SipMessage};
use rsipstack::transaction::Transaction;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot};

/// How often a call asks for a longer session: once for every proxy on a long way.
const MAX_LENGTHENED: u8 = 4;

/// Asks the task to give up.
pub(crate) struct Wish(Arc<Wanted>);

struct Wanted {
    cancel: AtomicBool,
    reason: Mutex<Option<String>>,
    /// Of the transaction that is open now.
    wake: Mutex<Wake>,
}

impl Wish {
    pub fn cancel(&self, reason: Option<&str>) {
        if let Some(reason) = reason {
            lock(&self.0.reason).get_or_insert_with(|| reason.to_owned());
        }
        self.0.cancel.store(true, Ordering::Release);
        lock(&self.0.wake).wake();
    }
}

/// What an INVITE of ours may do to be answered.
pub(crate) struct Means {
    pub authenticator: Option<Authenticator>,
    pub redirects: Redirects,
}

/// One call of ours and its task.
pub(crate) struct InviteClient {
    agent: Arc<Agent>,
    transaction: Transaction,
    flow: Flow,
    info: CallInfo,
    means: Means,
    attempts: Attempts,
    /// The longest Min-SE a 422 named, seconds, and how many 422s were heeded.
    least_session: u32,
    lengthened: u8,
    branches: Branches,
    setup: Option<Setup>,
    progress: Option<mpsc::UnboundedSender<Progress>>,
    wanted: Arc<Wanted>,
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
        means: Means,
        setup: Setup,
        progress: mpsc::UnboundedSender<Progress>,
    ) -> Result<(Self, Wish), SipError> {
        let transaction = open(&agent, invite, &flow)?;
        let wanted = Arc::new(Wanted {
            cancel: AtomicBool::new(false),
            reason: Mutex::default(),
            wake: Mutex::new(Wake::of(&transaction)),
        });
        let client = Self {
            branches: Branches::new(agent.clone()),
            agent,
            transaction,
            flow,
            info,
            means,
            attempts: Attempts::default(),
            least_session: 0,
            lengthened: 0,
            setup: Some(setup),
            progress: Some(progress),
            wanted: wanted.clone(),
            forsaken: Arc::default(),
            cancel_sent: false,
            provisional: false,
            answered_by: None,
        };
        Ok((client, Wish(wanted)))
    }

    /// Runs until the call is over: for an answered one 64*T1 longer, to acknowledge repeated 200s.
    pub async fn run(mut self) {
        while let Some(refused) = self.attempt().await {
            if self.try_again(&refused).await {
                continue;
            }
            let given_up = self.wanted.cancel.load(Ordering::Acquire) && refused.leaves_a_way();
            return self.fail(if given_up { Failure::new(487, "Given Up") } else { refused.failure });
        }
    }

    /// One transaction from INVITE to its end; a refusal when it may be worth another.
    async fn attempt(&mut self) -> Option<Refused> {
        if let Err(error) = self.transaction.send().await {
            return Some(Failure::new(503, error.to_string()).into());
        }
        loop {
            match self.transaction.receive().await {
                Some(SipMessage::Response(response)) => {
                    if let Some(refused) = self.response(response) {
                        return Some(refused);
                    }
                }
                Some(SipMessage::Request(_)) => {}
                None if self.transaction.is_terminated() => break,
                None if self.forsaken.load(Ordering::Acquire) => {
                    return Some(Failure::new(487, "No Answer After CANCEL").into());
                }
                None => {}
            }
            self.cancel_if_wanted();
        }
        // A call that was answered, or given up on, has no setup any more.
        self.setup.is_some().then(|| Failure::new(408, "Request Timeout").into())
    }

    fn response(&mut self, response: Response) -> Option<Refused> {
        let code = response.status_code.code();
        match code {
            100 => self.provisional = true,
            101..200 => {
                self.provisional = true;
                self.early(&response, code);
            }
            200..300 => self.success(&response),
            _ if self.setup.is_some() => {
                let failure = Failure::of(&response);
                return Some(Refused { failure, response: Some(response) });
            }
            _ => {}
        }
        None
    }

    /// Opens another transaction where the refusal leaves a way: a challenge we can answer, or another place.
    async fn try_again(&mut self, refused: &Refused) -> bool {
        let code = refused.failure.code;
        if self.wanted.cancel.load(Ordering::Acquire) || self.setup.is_none() {
            return false;
        }
        let challenged = refused.response.as_ref().is_some_and(|response| {
            self.means.authenticator.as_mut().is_some_and(|auth| auth.learn(response, &mut self.attempts))
        });
        let longer = refused.response.as_ref().is_some_and(|response| self.too_short(response));
        if challenged || longer {
            return self.restart(None).is_ok();
        }
        if let (300..400, Some(response)) = (code, &refused.response) {
            self.means.redirects.learn(response);
        }
        // 6xx speaks for every place (RFC 3261 21.6).
        if code >= 600 {
            return false;
        }
        while let Some(uri) = self.means.redirects.next() {
            match self.agent.flows.to_uri(&uri, None).await {
                Ok(flow) => {
                    if !self.means.authenticator.as_mut().is_some_and(Authenticator::leave_home) {
                        self.means.authenticator = None;
                    }
                    self.attempts = Attempts::default();
                    return self.restart(Some((uri, flow))).is_ok();
                }
                Err(error) => tracing::debug!(call = self.info.sip_call_id, uri, %error, "redirected to nowhere"),
            }
        }
        false
    }

    /// A provisional answer; one that was acknowledged before says nothing new.
    fn early(&mut self, response: &Response, code: u16) {
        let sdp = match body::read(response, &response.body) {
            Body::Sdp(sdp) => Some(sdp),
            _ => None,
        };
        if let Some(rseq) = Branches::rseq_of(response) {
            let cseq = headers::cseq(&self.transaction.original.headers).unwrap_or_default();
            let made = self.dialog_of(response);
            if !self.branches.take(rseq, cseq, sdp.as_deref(), made) {
                return;
            }
        }
        self.report(match sdp {
            Some(sdp) => Progress::Early { code, sdp },
            None => Progress::Ringing(code),
        });
    }

    /// 422 with a longer session in mind than the one before (RFC 4028 7.3).
    fn too_short(&mut self, response: &Response) -> bool {
        let least = match response.status_code.code() {
            422 => min_se_of(&response.headers).unwrap_or_default(),
            _ => 0,
        };
        if least <= self.least_session || self.lengthened >= MAX_LENGTHENED {
            return false;
        }
        self.least_session = least;
        self.lengthened += 1;
        true
    }

    fn dialog_of(&self, response: &Response) -> Option<Made> {
        let invite = &self.transaction.original;
        DialogCore::outgoing(self.info.clone(), invite, response, &self.flow, self.means.authenticator.clone())
    }

    /// The INVITE again, by another way if one is given.
    fn restart(&mut self, elsewhere: Option<(String, Flow)>) -> Result<(), SipError> {
        let last = &self.transaction.original;
        let cseq = headers::cseq(&last.headers).unwrap_or_default().saturating_add(1);
        let flow = elsewhere.as_ref().map_or(&self.flow, |(_, flow)| flow).clone();
        let protocol = protocol_of(&flow.connection);
        let mut invite = request::again(last, cseq, protocol, self.agent.address(protocol));
        if let Some((uri, _)) = elsewhere {
            invite.uri = stack_uri(&uri).ok_or_else(|| SipError::BadUri(uri.clone()))?;
            self.info.request_uri = uri;
            if let Ok(source) = flow.destination.get_socketaddr() {
                self.info.source = source;
            }
        }
        if self.least_session > 0 {
            let timed =
                |h: &Header| ["Session-Expires", "Min-SE"].iter().any(|name| h.name().eq_ignore_ascii_case(name));
            invite.headers_mut().retain(|h| !timed(h));
            invite.headers_mut().extend(self.agent.session_timers.wish(None, self.least_session));
        }
        match &mut self.means.authenticator {
            Some(authenticator) => authenticator.sign(&mut invite),
            None => {
                let signed = |h: &Header| matches!(h, Header::Authorization(_) | Header::ProxyAuthorization(_));
                invite.headers_mut().retain(|h| !signed(h));
            }
        }
        self.transaction = open(&self.agent, invite, &flow)?;
        self.flow = flow;
        self.branches.forget();
        self.provisional = false;
        *lock(&self.wanted.wake) = Wake::of(&self.transaction);
        Ok(())
    }

    fn success(&mut self, response: &Response) {
        let Some(made) = self.dialog_of(response) else {
            return self.fail(Failure::new(502, "200 Without A Usable Contact"));
        };
        // A repeated 200; the stack has acknowledged it again.
        if self.answered_by.as_ref() == Some(&made.0.id.remote_tag) {
            return;
        }
        let ((core, events), early) = self.branches.answered(made);
        core.establish(response);
        match &self.answered_by {
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
        let offer = String::from_utf8_lossy(&self.transaction.original.body).into_owned();
        lock(&core.session).described(offer, None);
        refresh::agreed(&self.agent, &core, response);
        self.agent.dialogs.insert(core.clone());
        self.setup = None;
        // From here on the dialog hangs up when nobody takes it.
        let dialog = Dialog::new(self.agent.clone(), core, events);
        // The first description that came reliably is the answer (RFC 3261 13.2.1).
        let answer = early.or_else(|| match body::read(response, &response.body) {
            Body::Sdp(answer) => Some(answer),
            _ => None,
        });
        match answer {
            Some(answer) => {
                self.report(Progress::Answered { dialog, answer });
                self.progress = None;
            }
            None => self.fail(Failure::new(502, "200 Without An Answer")),
        }
    }

    fn report(&self, progress: Progress) {
        if let Some(listener) = &self.progress {
            // Nobody listens: what is inside is dropped, a dialog hangs up.
            let _ = listener.send(progress);
        }
    }

    /// The call is over; only the first reason counts.
    fn fail(&mut self, failure: Failure) {
        self.report(Progress::Failed(failure));
        self.progress = None;
        self.setup = None;
        self.branches.forget();
    }

    fn cancel_if_wanted(&mut self) {
        let wanted = self.wanted.cancel.load(Ordering::Acquire);
        let open = self.setup.is_some() && self.provisional;
        if !wanted || !open || std::mem::replace(&mut self.cancel_sent, true) {
            return;
        }
        let reason = lock(&self.wanted.reason).take();
        let cancel = request::cancel(&self.transaction.original, reason.as_deref(), &self.agent.user_agent);
        let (agent, flow, forsaken) = (self.agent.clone(), self.flow.clone(), self.forsaken.clone());
        let task = Wake::of(&self.transaction);
        self.agent.spawn(async move {
            if let Err(error) = agent.transact(cancel, flow).await {
                tracing::debug!(key = %task.key, %error, "CANCEL failed");
            }
            tokio::time::sleep(agent.transaction_timeout()).await;
            forsaken.store(true, Ordering::Release);
            task.wake();
        });
    }
}

/// A refusal, with the answer it came in if there was one.
struct Refused {
    failure: Failure,
    response: Option<Response>,
}

impl Refused {
    /// Whether it asks for another try rather than saying no.
    fn leaves_a_way(&self) -> bool {
        matches!(self.failure.code, 300..=399 | 401 | 407 | 422)
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, response: None }
    }
}

fn open(agent: &Agent, invite: Request, flow: &Flow) -> Result<Transaction, SipError> {
    let key = TransactionKey::from_request(&invite, TransactionRole::Client)
        .map_err(|error| SipError::Send { method: Method::Invite.to_string(), why: error.to_string() })?;
    let mut transaction = Transaction::new_client(key, invite, agent.stack.clone(), Some(flow.connection.clone()));
    transaction.destination = Some(flow.destination.clone());
    Ok(transaction)
}
