//! The state of one dialog: who is on the other side, how to reach them, what is open (RFC 3261 12).
//! Not here: answering requests (`requests`), sending them (`sending`), the application's view of it (`dialog`).

use super::refresh::Lifetime;
use super::reliable::Reliable;
use super::session::Session;
use super::table::DialogId;
use super::transfer::Reports;
use super::turns::Turns;
use super::{DialogEnd, DialogEvent};
use crate::CallInfo;
use crate::agent::{Agent, Pending, lock};
use crate::digest::client::Authenticator;
use crate::message::address::{Address, split_list};
use crate::message::headers;
use crate::message::request::contact;
use crate::message::response::Reply;
use crate::message::uri::{Protocol, stack_uri};
use crate::server::Responder;
use crate::transport::{Flow, protocol_of};
use futures::channel::mpsc;
use rsipstack::sip::{HasHeaders, HeadersExt, Request, Response};
use rsipstack::transport::SipConnection;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Events the application has not fetched yet; more INFOs than this are answered 503.
const EVENT_QUEUE: usize = 32;

/// One dialog.
pub(crate) struct DialogCore {
    pub id: DialogId,
    pub info: CallInfo,
    /// The call is ours: we chose its Call-ID, and wait longer after a glare (RFC 3261 14.1).
    pub owns_call_id: bool,
    /// Header values with tags, ours and theirs, as they go into From and To.
    pub(super) local: String,
    pub(super) remote: String,
    pub(super) local_cseq: AtomicU32,
    pub(super) peer: Mutex<Peer>,
    state: Mutex<State>,
    /// Answers challenges as those of the INVITE were answered.
    pub(super) authenticator: Mutex<Option<Authenticator>>,
    /// Where NOTIFYs about a REFER of ours go.
    pub reports: Reports,
    /// REFERs that came in.
    pub(super) referrals: AtomicU32,
    /// Who may offer.
    pub turns: Arc<Turns>,
    /// What was offered and answered last.
    pub session: Mutex<Session>,
    pub lifetime: Mutex<Lifetime>,
    pub reliable: Reliable,
    /// Set when the INVITE has its final answer, yes or no.
    pub answered: CancellationToken,
    /// Set when requests of ours may be sent: the ACK came, or will not come (RFC 3261 15).
    pub settled: CancellationToken,
    /// Set with the end.
    pub ended: CancellationToken,
}

/// How to reach the other side.
pub(super) struct Peer {
    /// Their Contact.
    pub target: String,
    pub routes: Vec<String>,
    cseq: Option<u32>,
    /// Their Allow.
    allow: Option<String>,
    /// The TCP or TLS connection the dialog began on; reused while it stands.
    pub connection: Option<SipConnection>,
}

struct State {
    events: Option<mpsc::Sender<Box<DialogEvent>>>,
    end: Option<DialogEnd>,
    /// The INVITE that made the dialog, on the side that answers it.
    invite: Option<Responder>,
    /// Counted as unanswered.
    pending: Option<Pending>,
    /// Where the answer to a re-INVITE or UPDATE goes.
    reoffer: Option<oneshot::Sender<Reply>>,
}

impl DialogCore {
    /// Our side of an INVITE that came in (RFC 3261 12.1.1).
    pub fn incoming(
        id: DialogId,
        info: CallInfo,
        request: &Request,
        connection: Option<&SipConnection>,
        pending: Pending,
    ) -> Option<(Arc<Self>, mpsc::Receiver<Box<DialogEvent>>)> {
        let local = format!("{};tag={}", request.to_header().ok()?.value().trim(), id.local_tag);
        let remote = request.from_header().ok()?.value().trim().to_owned();
        let peer = Peer {
            target: contact_uri(request)?,
            routes: record_route(request),
            cseq: headers::cseq(&request.headers),
            allow: headers::value(&request.headers, "Allow"),
            connection: connection.filter(|c| c.is_reliable()).cloned(),
        };
        let settled = CancellationToken::new();
        Some(Self::new(id, info, local, remote, 0, peer, Some(pending), settled))
    }

    /// Our side of an INVITE we sent, from an answer to it (RFC 3261 12.1.2); an early dialog until `establish`.
    pub fn outgoing(
        info: CallInfo,
        invite: &Request,
        response: &Response,
        flow: &Flow,
        authenticator: Option<Authenticator>,
    ) -> Option<(Arc<Self>, mpsc::Receiver<Box<DialogEvent>>)> {
        let local = invite.from_header().ok()?.value().trim().to_owned();
        let remote = response.to_header().ok()?.value().trim().to_owned();
        let id = DialogId {
            call_id: info.sip_call_id.clone(),
            local_tag: Address::parse(&local)?.tag()?.to_owned(),
            remote_tag: Address::parse(&remote)?.tag().unwrap_or_default().to_owned(),
        };
        let routes = record_route(response).into_iter().rev().collect();
        let peer = Peer {
            target: contact_uri(response)?,
            routes,
            cseq: None,
            allow: headers::value(response.headers(), "Allow"),
            connection: Some(&flow.connection).filter(|c| c.is_reliable()).cloned(),
        };
        let settled = CancellationToken::new();
        let cseq = headers::cseq(&invite.headers)?;
        let (core, events) = Self::new(id, info, local, remote, cseq, peer, None, settled);
        *lock(&core.authenticator) = authenticator;
        Some((core, events))
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a private struct")]
    fn new(
        id: DialogId,
        info: CallInfo,
        local: String,
        remote: String,
        cseq: u32,
        peer: Peer,
        pending: Option<Pending>,
        settled: CancellationToken,
    ) -> (Arc<Self>, mpsc::Receiver<Box<DialogEvent>>) {
        // A sender has room for one more.
        let (sender, receiver) = mpsc::channel(EVENT_QUEUE - 1);
        // Only an INVITE that came in is counted as unanswered.
        let owns_call_id = pending.is_none();
        let state = State { events: Some(sender), end: None, invite: None, pending, reoffer: None };
        let core = Self {
            id,
            info,
            owns_call_id,
            local,
            remote,
            local_cseq: AtomicU32::new(cseq),
            peer: Mutex::new(peer),
            state: Mutex::new(state),
            authenticator: Mutex::default(),
            reports: Reports::default(),
            referrals: AtomicU32::new(0),
            turns: Arc::default(),
            session: Mutex::default(),
            lifetime: Mutex::default(),
            reliable: Reliable::default(),
            answered: CancellationToken::new(),
            settled,
            ended: CancellationToken::new(),
        };
        (Arc::new(core), receiver)
    }

    // === What happened ===

    /// Remembers who answers the INVITE, to stop it when the dialog ends first.
    pub fn set_invite(&self, responder: Responder) {
        lock(&self.state).invite = Some(responder);
    }

    /// The INVITE has its final answer, yes or no.
    pub fn set_answered(&self) {
        self.answered.cancel();
        lock(&self.state).pending = None;
    }

    pub fn is_answered(&self) -> bool {
        self.answered.is_cancelled()
    }

    /// A 2xx to our INVITE came, and the stack has acknowledged it. It fixes the route (RFC 3261 13.2.2.4).
    pub fn establish(&self, response: &Response) {
        self.refresh_target(response, None);
        lock(&self.peer).routes = record_route(response).into_iter().rev().collect();
        self.set_answered();
        self.settled.cancel();
    }

    /// The ACK of the first INVITE came, or a BYE that says as much. Whoever says so first is heard, and has the
    /// responder.
    pub fn confirm(&self, answer: Option<String>) -> Option<Responder> {
        self.settled.cancel();
        let mut state = lock(&self.state);
        let invite = state.invite.take()?;
        if let Some(events) = state.events.as_mut() {
            let _ = events.try_send(Box::new(DialogEvent::Confirmed { answer }));
        }
        Some(invite)
    }

    /// The ACK will not come.
    pub fn give_up_ack(&self) {
        self.settled.cancel();
    }

    /// Queues an event; false when the queue is full or the dialog over.
    pub fn tell(&self, event: DialogEvent) -> bool {
        let event = Box::new(event);
        let unsent = match lock(&self.state).events.as_mut() {
            Some(events) => events.try_send(event).err().map(|error| error.into_inner()),
            None => Some(event),
        };
        // Dropped here, outside of the lock: an offer answers itself then, which asks for the lock again.
        unsent.is_none()
    }

    /// Ends the dialog for the application; false when it had ended already. What is open is answered.
    pub fn end(&self, cause: DialogEnd) -> bool {
        let mut state = lock(&self.state);
        if state.end.is_some() {
            return false;
        }
        state.end = Some(cause);
        state.events = None;
        state.pending = None;
        self.reports.close();
        if let Some(reoffer) = state.reoffer.take() {
            let _ = reoffer.send(Reply::new(487));
        }
        self.ended.cancel();
        true
    }

    /// Why it ended; `None` while it lives.
    pub fn end_cause(&self) -> Option<DialogEnd> {
        lock(&self.state).end.clone()
    }

    /// The responder of the first INVITE.
    pub fn take_invite(&self) -> Option<Responder> {
        lock(&self.state).invite.take()
    }

    /// Makes room for the answer to a re-INVITE or UPDATE, whose turn it is; `None` when the dialog is over.
    pub fn open_reoffer(&self) -> Option<oneshot::Receiver<Reply>> {
        let mut state = lock(&self.state);
        if state.end.is_some() {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        state.reoffer = Some(sender);
        Some(receiver)
    }

    /// Answers the open re-INVITE or UPDATE.
    pub fn answer_reoffer(&self, reply: Reply) {
        if let Some(reoffer) = lock(&self.state).reoffer.take() {
            let _ = reoffer.send(reply);
        }
    }

    /// Checks a request's CSeq and remembers it; false when it is out of order (RFC 3261 12.2.2).
    pub fn note_cseq(&self, request: &Request) -> bool {
        let mut peer = lock(&self.peer);
        match (headers::cseq(&request.headers), peer.cseq) {
            (None, _) => false,
            (Some(new), Some(last)) if new < last => false,
            (Some(new), _) => {
                peer.cseq = Some(new);
                true
            }
        }
    }

    /// A re-INVITE or UPDATE, or its 2xx, moves their Contact, and over TCP the connection (RFC 3261 12.2).
    pub fn refresh_target(&self, message: &impl HasHeaders, connection: Option<&SipConnection>) {
        let mut peer = lock(&self.peer);
        if let Some(target) = contact_uri(message) {
            peer.target = target;
        }
        if let Some(allow) = headers::value(message.headers(), "Allow") {
            peer.allow = Some(allow);
        }
        if let Some(connection) = connection.filter(|c| c.is_reliable()) {
            peer.connection = Some(connection.clone());
        }
    }

    /// Whether the other side says that it takes such requests.
    pub fn peer_allows(&self, method: &str) -> bool {
        let peer = lock(&self.peer);
        let mut allowed = peer.allow.iter().flat_map(|allow| allow.split(','));
        allowed.any(|one| one.trim() == method)
    }

    /// It said so and does not.
    pub fn peer_allows_nothing(&self) {
        lock(&self.peer).allow = None;
    }

    /// Our Contact, by the transport of the dialog.
    pub fn contact(&self, agent: &Agent) -> String {
        let protocol = lock(&self.peer).connection.as_ref().map_or(Protocol::Udp, protocol_of);
        let secure = self.info.request_uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"));
        contact(agent.address(protocol), protocol, secure)
    }
}

/// URI of the first Contact.
fn contact_uri(message: &impl HasHeaders) -> Option<String> {
    let value = headers::value(message.headers(), "Contact")?;
    let first = split_list(&value).next()?;
    let uri = Address::parse(first)?.uri.to_owned();
    stack_uri(&uri).map(|_| uri)
}

/// URIs of Record-Route, top first.
fn record_route(message: &impl HasHeaders) -> Vec<String> {
    headers::values(message.headers(), "Record-Route")
        .flat_map(split_list)
        .filter_map(|entry| Address::parse(entry).map(|address| address.uri.to_owned()))
        .collect()
}
