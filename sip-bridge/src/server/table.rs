//! All server transactions of an endpoint: which one a request belongs to, what was answered, what is to be repeated, and for
//! how long (RFC 3261 17.2, 13.3.1.4, RFC 6026 7.1). Not here: what is answered, and why (`dispatch`, `dialog`).

use super::ServerTransaction;
use super::invite::InviteObserver;
use super::key::Key;
use crate::agent::{lock, new_tag};
use crate::dialog::table::DialogId;
use crate::message::headers;
use crate::message::response::{Reply, to_bytes, trying};
use crate::transport::{ArrivedRequest, Way};
use crate::{SipError, Timers};
use rsipstack::sip::{Method, Request, Response};
use std::cmp::Reverse;
use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BinaryHeap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// How long nothing may be said of an INVITE before 100 is. RFC 3261 17.2.1 allows 200 ms; Kamailio in front of us repeats
/// its INVITE then (`retr_timer1` in deploy/kamailio/kamailio.cfg), and is to have heard of the first.
const TRYING_AFTER: Duration = Duration::from_millis(100);

pub(crate) struct Transactions {
    timers: Timers,
    user_agent: String,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    known: HashMap<Key, Known>,
    /// INVITEs whose 2xx waits for its ACK, which has a branch of its own.
    accepted: HashMap<AckId, Key>,
    /// What is to be sent when; what came to nothing meanwhile stays until then.
    due: BinaryHeap<Reverse<Due>>,
    /// What is forgotten when, the next one first: all are kept for 64*T1.
    forgotten: VecDeque<(Instant, Key)>,
}

/// One transaction.
struct Known {
    way: Way,
    is_invite: bool,
    state: State,
    /// The latest answer as it was sent, for as long as it may be repeated.
    answer: Vec<u8>,
    invite: Option<Box<Invite>>,
}

/// What an INVITE has until its final answer is acknowledged.
struct Invite {
    request: Arc<Request>,
    /// Names the INVITE for the ACK of its 2xx.
    id: AckId,
    observer: Arc<dyn InviteObserver>,
}

/// What INVITE and ACK have in common where they are not one transaction (RFC 3261 13.3.1.4).
#[derive(Clone, PartialEq, Eq, Hash)]
struct AckId {
    dialog: DialogId,
    cseq: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No final answer yet. An INVITE may be cancelled before it has an observer.
    Open { cancelled: bool },
    /// 2xx to an INVITE; its ACK is awaited.
    Accepted,
    /// Another final answer.
    Completed,
    /// Nothing more is said of it.
    Confirmed,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    /// Until the next time; none for 100.
    interval: Option<Duration>,
    key: Key,
}

impl Transactions {
    pub fn new(timers: Timers, user_agent: String) -> Self {
        Self { timers, user_agent, table: Mutex::default() }
    }

    /// How many wait for something; the others are kept for what comes late.
    pub fn open(&self) -> usize {
        let over = |known: &Known| match known.state {
            State::Open { .. } | State::Accepted => false,
            State::Completed => !known.is_invite,
            State::Confirmed => true,
        };
        lock(&self.table).known.values().filter(|known| !over(known)).count()
    }

    /// Forgets all, and with them who observes.
    pub fn clear(&self) {
        let all = std::mem::take(&mut *lock(&self.table));
        // Observers end outside of the lock.
        drop(all);
    }

    fn kept(&self) -> Duration {
        self.timers.t1 * 64
    }

    // === What comes in ===

    /// A request's transaction if the request is new and is to be answered. Repetitions, ACK and CANCEL are seen to.
    pub fn receive(self: &Arc<Self>, arrived: ArrivedRequest) -> Option<ServerTransaction> {
        let ArrivedRequest { request, source, way, stream } = arrived;
        let key = Key::of(&request)?;
        match request.method {
            Method::Ack => self.acknowledge(&key, &request),
            Method::Cancel => self.cancel(&key, &request, &way),
            method => {
                if self.begin(&key, method == Method::Invite, way) {
                    return Some(ServerTransaction {
                        request: Arc::new(request),
                        source,
                        stream,
                        key,
                        transactions: self.clone(),
                    });
                }
            }
        }
        None
    }

    /// False for a repetition, which is answered as the first was.
    fn begin(&self, key: &Key, is_invite: bool, way: Way) -> bool {
        let mut table = lock(&self.table);
        match table.known.entry(key.clone()) {
            Entry::Occupied(known) => {
                let known = known.into_mut();
                // It may be repeated because the way back was lost.
                known.way = way.clone();
                // A 2xx to an INVITE is repeated by itself.
                let answer = (known.state != State::Accepted && !known.answer.is_empty()).then(|| known.answer.clone());
                drop(table);
                if let Some(answer) = answer {
                    send(&way, &answer, key);
                }
                false
            }
            Entry::Vacant(place) => {
                let state = State::Open { cancelled: false };
                place.insert(Known { way, is_invite, state, answer: Vec::new(), invite: None });
                if !is_invite {
                    // After this time nobody waits for an answer.
                    table.forgotten.push_back((Instant::now() + self.kept(), key.clone()));
                }
                true
            }
        }
    }

    fn acknowledge(&self, key: &Key, ack: &Request) {
        let acknowledged = lock(&self.table).acknowledge(key, ack);
        if let Some((State::Accepted, observer)) = acknowledged {
            observer.acknowledged(ack);
        }
    }

    /// Every CANCEL has its own answer (RFC 3261 9.2).
    fn cancel(&self, key: &Key, cancel: &Request, way: &Way) {
        let mut table = lock(&self.table);
        let (code, to_tag) = match table.known.get_mut(key) {
            None => (481, None),
            Some(known) => {
                if let State::Open { cancelled } = &mut known.state {
                    *cancelled = true;
                }
                (200, known.invite.as_ref().map(|invite| invite.id.dialog.local_tag.clone()))
            }
        };
        drop(table);
        let to_tag = to_tag.unwrap_or_else(new_tag);
        send(way, &to_bytes(&Reply::new(code).build(cancel, Some(&to_tag), &self.user_agent)), key);
        self.terminate(key);
    }

    // === What is answered ===

    /// Says who observes an INVITE and what is needed for the answers that it may have from here.
    pub(super) fn serve_invite(
        &self,
        key: &Key,
        request: Arc<Request>,
        to_tag: String,
        observer: Arc<dyn InviteObserver>,
    ) {
        let mut table = lock(&self.table);
        let Some(known) = table.known.get_mut(key) else { return };
        // Both were read before, by `Key` and `dispatch`.
        let Some(AckId { dialog, cseq }) = AckId::of(&request) else { return };
        let id = AckId { dialog: DialogId { local_tag: to_tag, ..dialog }, cseq };
        known.invite = Some(Box::new(Invite { request, id, observer }));
        let cancelled = known.state == State::Open { cancelled: true };
        table.due.push(Reverse(Due { at: Instant::now() + TRYING_AFTER, interval: None, key: key.clone() }));
        drop(table);
        if cancelled {
            self.terminate(key);
        }
    }

    pub(super) fn respond(&self, key: &Key, response: &Response) -> Result<(), SipError> {
        let answer = to_bytes(response);
        let code = response.status_code.code();
        let way = self.note(key, code, answer.clone())?;
        way.send(&answer).map_err(|error| {
            // A refusal that is lost as a datagram is sent again.
            if code >= 200 && (code < 300 || way.is_reliable()) {
                self.unacknowledged(key);
            }
            SipError::Send { method: key.method().to_owned(), why: error.to_string() }
        })
    }

    /// 487 to an INVITE that has no final answer; false if it has one.
    pub(super) fn terminate(&self, key: &Key) -> bool {
        let table = lock(&self.table);
        let open = table.known.get(key).filter(|known| matches!(known.state, State::Open { .. }));
        // Without an observer nobody has the INVITE yet.
        let Some(invite) = open.and_then(|known| known.invite.as_ref()) else { return false };
        let refusal = Reply::new(487).build(&invite.request, Some(&invite.id.dialog.local_tag), &self.user_agent);
        let observer = invite.observer.clone();
        drop(table);
        match self.respond(key, &refusal) {
            // Somebody was quicker.
            Err(SipError::Ended(_)) => return false,
            Err(error) => tracing::debug!(%key, %error, "cannot send 487"),
            Ok(()) => {}
        }
        observer.cancelled();
        true
    }

    /// Nobody waits for the ACK of an INVITE any more; one without a final answer gets it.
    pub(super) fn abandon(&self, key: &Key) {
        if !self.terminate(key) {
            self.unacknowledged(key);
        }
    }

    /// Nobody acknowledges an INVITE's final answer. Any other request may be repeated.
    fn unacknowledged(&self, key: &Key) {
        let mut table = lock(&self.table);
        let observed = match table.known.get(key) {
            Some(known) if known.is_invite => table.confirm(key),
            _ => None,
        };
        drop(table);
        // Not before: it may lead back here.
        drop(observed);
    }

    /// Remembers an answer, and what becomes of the transaction with it.
    fn note(&self, key: &Key, code: u16, answer: Vec<u8>) -> Result<Way, SipError> {
        let now = Instant::now();
        let mut table = lock(&self.table);
        let table = &mut *table;
        let known = table.known.get_mut(key).ok_or_else(|| SipError::Ended("the transaction is over".to_owned()))?;
        if !matches!(known.state, State::Open { .. }) {
            return Err(SipError::Ended("the request has its final answer".to_owned()));
        }
        let way = known.way.clone();
        known.answer = answer;
        if code < 200 {
            // Nothing is late that was said.
            return Ok(way);
        }
        known.state = State::Completed;
        if !known.is_invite {
            return Ok(way);
        }
        table.forgotten.push_back((now + self.kept(), key.clone()));
        if code < 300
            && let Some(invite) = &known.invite
        {
            known.state = State::Accepted;
            table.accepted.insert(invite.id.clone(), key.clone());
        }
        // A 2xx is repeated over whatever transport (RFC 3261 13.3.1.4).
        if known.state == State::Accepted || !way.is_reliable() {
            table.due.push(Reverse(Due { at: now + self.timers.t1, interval: Some(self.timers.t1), key: key.clone() }));
        }
        Ok(way)
    }

    // === What time brings ===

    /// Repeats and forgets what it is time for.
    pub fn tick(&self, now: Instant) {
        while let Some((way, answer, key)) = self.next_due(now) {
            send(&way, &answer, &key);
        }
        while let Some(forgotten) = self.next_forgotten(now) {
            if let Some((State::Accepted, observer)) = forgotten {
                observer.unacknowledged();
            }
        }
    }

    fn next_due(&self, now: Instant) -> Option<(Way, Vec<u8>, Key)> {
        let mut table = lock(&self.table);
        let table = &mut *table;
        loop {
            let next = table.due.peek_mut().filter(|next| next.0.at <= now)?;
            let Reverse(Due { at, interval, key }) = std::collections::binary_heap::PeekMut::pop(next);
            let Some(known) = table.known.get_mut(&key) else { continue };
            match (interval, known.state) {
                (None, State::Open { .. }) if known.answer.is_empty() => {
                    let Some(invite) = &known.invite else { continue };
                    let late = now.duration_since(at) + TRYING_AFTER;
                    known.answer = to_bytes(&trying(&invite.request, &self.user_agent, late));
                }
                (Some(interval), State::Accepted | State::Completed) => {
                    let interval = (interval * 2).min(self.timers.t2);
                    let again = Due { at: now + interval, interval: Some(interval), key: key.clone() };
                    table.due.push(Reverse(again));
                }
                _ => continue,
            }
            return Some((known.way.clone(), known.answer.clone(), key));
        }
    }

    /// Forgets the next one, if it is time: what state it was in, and who observed it.
    fn next_forgotten(&self, now: Instant) -> Option<Option<(State, Arc<dyn InviteObserver>)>> {
        let mut table = lock(&self.table);
        let (_, key) = table.forgotten.pop_front_if(|(at, _)| *at <= now)?;
        let observed = table.confirm(&key);
        table.known.remove(&key);
        Some(observed)
    }
}

impl Table {
    /// Ends the wait for an ACK; returns what it acknowledges and who observed that.
    fn acknowledge(&mut self, key: &Key, ack: &Request) -> Option<(State, Arc<dyn InviteObserver>)> {
        let key = if self.known.contains_key(key) { key.clone() } else { self.accepted.get(&AckId::of(ack)?)?.clone() };
        let answered = |known: &&Known| matches!(known.state, State::Accepted | State::Completed);
        self.known.get(&key).filter(answered)?;
        self.confirm(&key)
    }

    /// Nothing more is sent and nobody waits; returns what state it was in and who observed it.
    fn confirm(&mut self, key: &Key) -> Option<(State, Arc<dyn InviteObserver>)> {
        let known = self.known.get_mut(key)?;
        let state = std::mem::replace(&mut known.state, State::Confirmed);
        known.answer = Vec::new();
        let Invite { id, observer, .. } = *known.invite.take()?;
        self.accepted.remove(&id);
        Some((state, observer))
    }
}

impl AckId {
    fn of(request: &Request) -> Option<Self> {
        Some(Self { dialog: DialogId::of_incoming(request)?, cseq: headers::cseq(&request.headers)? })
    }
}

/// Lost like any message, if it is.
fn send(way: &Way, message: &[u8], key: &Key) {
    if let Err(error) = way.send(message) {
        tracing::debug!(%key, %error, "cannot answer a request");
    }
}
