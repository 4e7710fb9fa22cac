//! The state of one dialog: who is on the other side, how to reach them, what is open (RFC 3261 12).
//! Not here: answering requests (`requests`) and the application's view of it (`dialog`).

use super::table::DialogId;
use super::{DialogEnd, DialogEvent};
use crate::agent::{Agent, Pending, lock};
use crate::digest::client::{Attempts, Authenticator};
use crate::invite_server::Responder;
use crate::message::address::{Address, split_list};
use crate::message::headers::{self, plain, quoted};
use crate::message::request::{Draft, again, contact};
use crate::message::response::Reply;
use crate::message::uri::{Hop, Protocol, stack_uri};
use crate::transport::{Flow, is_open, protocol_of};
use crate::{CallInfo, SipError};
use rsipstack::sip::{HasHeaders, Header, HeadersExt, Method, Request, Response};
use rsipstack::transport::SipConnection;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Events the application has not fetched yet; more INFOs than this are answered 503.
const EVENT_QUEUE: usize = 32;

/// One dialog.
pub(crate) struct DialogCore {
    pub id: DialogId,
    pub info: CallInfo,
    /// Header values with tags, ours and theirs, as they go into From and To.
    local: String,
    remote: String,
    local_cseq: AtomicU32,
    peer: Mutex<Peer>,
    state: Mutex<State>,
    /// Answers challenges as those of the INVITE were answered.
    authenticator: Mutex<Option<Authenticator>>,
    /// Set when BYE may be sent: the ACK came, or will not come (RFC 3261 15).
    settled: CancellationToken,
}

/// How to reach the other side.
struct Peer {
    /// Their Contact.
    target: String,
    routes: Vec<String>,
    cseq: Option<u32>,
    /// The TCP connection the dialog began on; reused while it stands.
    connection: Option<SipConnection>,
}

struct State {
    events: Option<mpsc::Sender<DialogEvent>>,
    end: Option<DialogEnd>,
    /// The INVITE that made the dialog, on the side that answers it.
    invite: Option<Responder>,
    /// Counted as unanswered.
    pending: Option<Pending>,
    /// Where the answer to a re-INVITE or UPDATE goes.
    reoffer: Option<oneshot::Sender<Reply>>,
    answered: bool,
}

impl DialogCore {
    /// Our side of an INVITE that came in (RFC 3261 12.1.1).
    pub fn incoming(
        id: DialogId,
        info: CallInfo,
        request: &Request,
        connection: Option<&SipConnection>,
        pending: Pending,
    ) -> Option<(Arc<Self>, mpsc::Receiver<DialogEvent>)> {
        let local = format!("{};tag={}", request.to_header().ok()?.value().trim(), id.local_tag);
        let remote = request.from_header().ok()?.value().trim().to_owned();
        let peer = Peer {
            target: contact_uri(request)?,
            routes: record_route(request),
            cseq: headers::cseq(&request.headers),
            connection: connection.filter(|c| protocol_of(c) == Protocol::Tcp).cloned(),
        };
        let settled = CancellationToken::new();
        Some(Self::new(id, info, local, remote, 0, peer, Some(pending), settled))
    }

    /// Our side of an INVITE we sent, from its 2xx (RFC 3261 12.1.2). The stack has acknowledged it.
    pub fn outgoing(
        info: CallInfo,
        invite: &Request,
        response: &Response,
        flow: &Flow,
        authenticator: Option<Authenticator>,
    ) -> Option<(Arc<Self>, mpsc::Receiver<DialogEvent>)> {
        let local = invite.from_header().ok()?.value().trim().to_owned();
        let remote = response.to_header().ok()?.value().trim().to_owned();
        let id = DialogId {
            call_id: info.sip_call_id.clone(),
            local_tag: Address::parse(&local)?.tag()?.to_owned(),
            remote_tag: Address::parse(&remote)?.tag().unwrap_or_default().to_owned(),
        };
        let mut routes = record_route(response);
        routes.reverse();
        let peer = Peer {
            target: contact_uri(response)?,
            routes,
            cseq: None,
            connection: Some(&flow.connection).filter(|c| protocol_of(c) == Protocol::Tcp).cloned(),
        };
        let settled = CancellationToken::new();
        settled.cancel();
        let cseq = headers::cseq(&invite.headers)?;
        let (core, events) = Self::new(id, info, local, remote, cseq, peer, None, settled);
        lock(&core.state).answered = true;
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
    ) -> (Arc<Self>, mpsc::Receiver<DialogEvent>) {
        let (sender, receiver) = mpsc::channel(EVENT_QUEUE);
        let state = State { events: Some(sender), end: None, invite: None, pending, reoffer: None, answered: false };
        let core = Self {
            id,
            info,
            local,
            remote,
            local_cseq: AtomicU32::new(cseq),
            peer: Mutex::new(peer),
            state: Mutex::new(state),
            authenticator: Mutex::default(),
            settled,
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
        let mut state = lock(&self.state);
        state.answered = true;
        state.pending = None;
    }

    pub fn is_answered(&self) -> bool {
        lock(&self.state).answered
    }

    /// The ACK of the first INVITE came.
    pub fn confirm(&self, answer: Option<String>) {
        self.settled.cancel();
        self.tell(DialogEvent::Confirmed { answer });
    }

    /// The ACK will not come.
    pub fn give_up_ack(&self) {
        self.settled.cancel();
    }

    /// Queues an event; false when the queue is full or the dialog over.
    pub fn tell(&self, event: DialogEvent) -> bool {
        lock(&self.state).events.as_ref().is_some_and(|events| events.try_send(event).is_ok())
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
        if let Some(reoffer) = state.reoffer.take() {
            let _ = reoffer.send(Reply::new(487));
        }
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

    /// Makes room for the answer to a re-INVITE or UPDATE; `None` while another waits for its answer.
    pub fn open_reoffer(&self) -> Option<oneshot::Receiver<Reply>> {
        let mut state = lock(&self.state);
        if state.reoffer.as_ref().is_some_and(|waiting| !waiting.is_closed()) || state.end.is_some() {
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

    /// A re-INVITE or UPDATE moves their Contact, and over TCP the connection (RFC 3261 12.2.2).
    pub fn refresh_target(&self, request: &Request, connection: Option<&SipConnection>) {
        let mut peer = lock(&self.peer);
        if let Some(target) = contact_uri(request) {
            peer.target = target;
        }
        if let Some(connection) = connection.filter(|c| protocol_of(c) == Protocol::Tcp) {
            peer.connection = Some(connection.clone());
        }
    }

    // === Requests of ours ===

    /// Our Contact, by the transport of the dialog.
    pub fn contact(&self, agent: &Agent) -> String {
        let protocol = if lock(&self.peer).connection.is_some() { Protocol::Tcp } else { Protocol::Udp };
        contact(agent.local, protocol)
    }

    /// Sends BYE and waits for its answer. The dialog is gone afterwards, whatever the answer.
    pub async fn send_bye(&self, agent: &Agent, reason: Option<String>) -> Result<(), SipError> {
        // The caller may BYE before its ACK, we may not (RFC 3261 15).
        self.settled.cancelled().await;
        // RFC 3326: Q.850 cause 16 is normal clearing; the text says which kind of normal.
        let reason = reason.map(|text| plain("Reason", format!("Q.850;cause=16;text={}", quoted(&text))));
        let answer = self.exchange(agent, Method::Bye, reason.into_iter().collect(), None).await;
        agent.dialogs.remove(&self.id);
        let response = answer?;
        match response.status_code.code() {
            200..300 => Ok(()),
            code => Err(SipError::Refused {
                method: Method::Bye.to_string(),
                code,
                reason: response.status_code.text().to_owned(),
            }),
        }
    }

    /// Sends a request other than INVITE in the dialog and waits for its final answer. Challenges are answered.
    pub async fn exchange(
        &self,
        agent: &Agent,
        method: Method,
        headers: Vec<Header>,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Response, SipError> {
        let (mut request, flow) = self.request(agent, method, headers, body).await?;
        let mut attempts = Attempts::default();
        loop {
            let response = agent.transact(request.clone(), flow.clone()).await?;
            match self.answer_challenge(agent, &request, &response, &flow, &mut attempts) {
                Some(signed) => request = signed,
                None => return Ok(response),
            }
        }
    }

    /// The request to send instead when `response` is a challenge that can be answered (RFC 3261 22).
    pub fn answer_challenge(
        &self,
        agent: &Agent,
        request: &Request,
        response: &Response,
        flow: &Flow,
        attempts: &mut Attempts,
    ) -> Option<Request> {
        let mut authenticator = lock(&self.authenticator);
        let authenticator = authenticator.as_mut()?;
        if !authenticator.learn(response, attempts) {
            return None;
        }
        let protocol = protocol_of(&flow.connection);
        let mut signed = again(request, self.next_cseq(), protocol, agent.address(protocol));
        authenticator.sign(&mut signed);
        Some(signed)
    }

    fn next_cseq(&self) -> u32 {
        self.local_cseq.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// A request in the dialog and the way it takes (RFC 3261 12.2.1.1).
    pub async fn request(
        &self,
        agent: &Agent,
        method: Method,
        headers: Vec<Header>,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<(Request, Flow), SipError> {
        let (target, routes, connection) = {
            let peer = lock(&self.peer);
            (peer.target.clone(), peer.routes.clone(), peer.connection.clone())
        };
        let failed = |why: String| SipError::Send { method: method.to_string(), why };
        // A strict router wants to be the request URI, and the target last in the route (RFC 3261 12.2.1.1).
        let strict = routes.first().is_some_and(|first| Hop::of(first).is_some_and(|hop| !hop.loose));
        let (request_uri, routes) = match routes.split_first() {
            Some((first, rest)) if strict => (first.clone(), rest.iter().cloned().chain([target]).collect::<Vec<_>>()),
            _ => (target, routes),
        };
        let next_hop = if strict { &request_uri } else { routes.first().unwrap_or(&request_uri) };
        let flow = match connection.filter(is_open) {
            Some(connection) => {
                let destination = connection.get_remote_addr().cloned().unwrap_or_default();
                Flow { connection, destination }
            }
            None => agent.flows.to_uri(next_hop).await.map_err(|error| failed(error.to_string()))?,
        };
        let protocol = protocol_of(&flow.connection);
        let mut request = Draft {
            method,
            uri: stack_uri(&request_uri).ok_or_else(|| SipError::BadUri(request_uri.clone()))?,
            from: &self.local,
            to: &self.remote,
            call_id: &self.id.call_id,
            cseq: self.next_cseq(),
            routes: &routes,
            protocol,
            local: agent.address(protocol),
            user_agent: &agent.user_agent,
            body,
        }
        .build();
        request.headers_mut().extend(headers);
        if let Some(authenticator) = lock(&self.authenticator).as_mut() {
            // With the nonce that is known, to spare the round of being challenged (RFC 3261 22.2).
            authenticator.sign(&mut request);
        }
        Ok((request, flow))
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
