//! A call this node makes, from INVITE to its end: rung, heard early, answered, or not taken for a reason.
//! Where it goes is `trunks`' to say; once it is answered, `sip_call` follows it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use edge_protocol::{Direction, EndCause, EventKind, SipStatus};
use futures::channel::mpsc::{Receiver, channel};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use sip_bridge::{
    Dialog, DialogHandle, EndpointHandle, Failure, OutgoingCall, OutgoingTarget, Progress, SipError, sdp,
};
use thiserror::Error;
use tokio::sync::watch;
use uuid::Uuid;

use super::admission::CallPlace;
use super::answer::{local_session, rtp_setup};
use super::lifetime::{Lifetime, told_to_stop};
use super::sip_call::{CallMedia, SipCall};
use super::trunks::{Destination, WayOutError};
use super::{Node, Status};
use crate::audio::g711::Law;
use crate::call::{AgentSettings, CallCommand, CallFacts, CallSetup, MediaSession, Tenant};
use crate::shard::{CallNotice, NOTICES, ShardHandle};
use crate::wall_clock::unix_ms;

/// How long the other side may take to confirm that a call is given up.
const CANCEL_LIMIT: Duration = Duration::from_secs(35);

/// A call that is to be made.
pub struct Dial {
    pub call_id: String,
    pub destination: Destination,
    pub agent: Arc<AgentSettings>,
    /// The agent speaks once it is answered; else nobody does.
    pub speaks: bool,
    pub record: bool,
    pub tenant: Option<Tenant>,
    /// Where it lives; `None`: on the emptiest shard.
    pub shard: Option<ShardHandle>,
}

/// How far a call has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    Dialling,
    Ringing,
    /// The other side may send audio before it answers.
    Early,
    Answered,
    /// Not taken, or over.
    Gone(SipStatus),
}

/// Holds a call that was made for somebody. Dropping it hangs up, unless it is to be kept.
pub struct OutboundLeg {
    node: Arc<Node>,
    call_id: String,
    key: crate::shard::CallKey,
    stage: watch::Receiver<Stage>,
    said: watch::Receiver<u32>,
    /// Once it is answered.
    dialog: Arc<OnceLock<DialogHandle>>,
    kept: bool,
}

/// Why a call is not even tried.
#[derive(Debug, Error)]
pub enum DialError {
    #[error("the node holds as many calls as it may")]
    Full,
    #[error("the node takes no new calls")]
    Draining,
    #[error(transparent)]
    WayOut(#[from] WayOutError),
    #[error("no place for the call's media: {0}")]
    Media(#[from] crate::shard::ShardError),
    #[error("a call with this id is live")]
    Twice,
}

/// A call on its way.
struct Dialling {
    node: Arc<Node>,
    sip: EndpointHandle,
    setup: CallSetup,
    speaks: bool,
    ring_timeout: Duration,
    media: CallMedia,
    stage: watch::Sender<Stage>,
    said: watch::Sender<u32>,
    dialog: Arc<OnceLock<DialogHandle>>,
    /// In the trunk, then at the node: freed in this order.
    _places: (Option<CallPlace>, CallPlace),
}

/// What came of an INVITE.
enum Outcome {
    Answered(Box<Dialog>),
    Over(EndCause, SipStatus),
}

// === impl Dial ===

impl Dial {
    /// Somebody who is called for the sake of another call.
    pub fn party(destination: Destination, agent: Arc<AgentSettings>, shard: ShardHandle) -> Self {
        let call_id = Uuid::now_v7().to_string();
        Self { call_id, destination, agent, speaks: false, record: false, tenant: None, shard: Some(shard) }
    }
}

/// Sends a call off. It goes on by itself; its facts tell what becomes of it.
///
/// # Errors
/// [`DialError`]: nobody was called.
pub async fn dial(node: &Arc<Node>, wanted: Dial) -> Result<OutboundLeg, DialError> {
    if node.status() == Status::Draining {
        return Err(DialError::Draining);
    }
    let place = node.cap.enter().ok_or(DialError::Full)?;
    let (target, trunk_place) = node.trunks.way_out(&wanted.destination).await?;
    let sip = node.sip.get().cloned().ok_or(DialError::Draining)?;
    let shard = wanted.shard.or_else(|| node.emptiest_shard()).ok_or(DialError::Draining)?;
    let reservation = shard.reserve(None, None).await?;
    let (call_id, key) = (wanted.call_id, reservation.key);
    let local = sdp::Local { port: reservation.port, ..local_session(node) };
    let facts = CallFacts {
        direction: Direction::Outbound,
        from: target.from.clone(),
        to: target.uri.clone(),
        sip_call_id: String::new(),
        node: node.config.node_name.clone(),
        headers: target.headers.clone(),
        tenant: wanted.tenant,
        identity: None,
    };
    let setup = rtp_setup(call_id.clone(), unix_ms(), facts, nothing_agreed(), wanted.agent, node);
    let record = node.config.recording && wanted.record;
    let Some(lifetime) = Lifetime::begin(node, &setup, record) else {
        shard.release(key).await;
        return Err(DialError::Twice);
    };
    let (stage, said) = (watch::Sender::new(Stage::Dialling), watch::Sender::new(0));
    let dialog = Arc::new(OnceLock::new());
    let leg = OutboundLeg {
        node: node.clone(),
        call_id,
        key,
        stage: stage.subscribe(),
        said: said.subscribe(),
        dialog: dialog.clone(),
        kept: false,
    };
    let dialling = Dialling {
        node: node.clone(),
        sip,
        setup,
        speaks: wanted.speaks,
        ring_timeout: wanted.destination.ring_timeout,
        media: CallMedia {
            shard,
            key,
            keys: node.media_keys.clone(),
            local,
            agreed: None,
            dtmf: wanted.destination.dtmf.unwrap_or(node.config.dtmf),
            takes_info: false,
        },
        stage,
        said,
        dialog,
        _places: (trunk_place, place),
    };
    tokio::spawn(dialling.begin(target, lifetime));
    Ok(leg)
}

/// The call's media until SDP says where they go.
fn nothing_agreed() -> MediaSession {
    let nowhere = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
    let (sends, receives) = (false, false);
    MediaSession { sends, receives, ..MediaSession::new(Law::Mu.into(), Law::Mu.payload_type(), nowhere) }
}

// === impl Dialling ===

impl Dialling {
    /// Boxed, as a call may be given to another one, which is dialled the same way.
    fn begin(self, target: OutgoingTarget, lifetime: Lifetime) -> BoxFuture<'static, ()> {
        self.run(target, lifetime).boxed()
    }

    async fn run(mut self, target: OutgoingTarget, mut lifetime: Lifetime) {
        let invited = self.sip.call(target, sdp::offer(&self.media.local)).await;
        if let Ok(call) = &invited {
            self.setup.facts.sip_call_id.clone_from(&call.info.sip_call_id);
        }
        let (notices, mut lines) = channel(NOTICES);
        let (shard, key) = (self.media.shard.clone(), self.media.key);
        if shard.start(key, self.setup.clone(), lifetime.recording, notices).await.is_err() {
            return;
        }
        let outcome = match invited {
            Ok(call) => self.until_answered(call, &mut lifetime, &mut lines).await,
            Err(error) => Outcome::Over(EndCause::Unreachable, no_way(&error)),
        };
        let stage = self.stage.clone();
        let (cause, status) = match outcome {
            Outcome::Answered(dialog) => {
                let mut call = SipCall {
                    node: self.node.clone(),
                    call_id: self.setup.call_id.clone(),
                    agent: self.setup.agent.clone(),
                    dialog: *dialog,
                    media: self.media,
                    said: self.said.clone(),
                };
                let cause = call.until_over(&mut lifetime, &mut lines).await;
                (cause, SipStatus { code: 487, reason: "The call is over".to_owned() })
            }
            Outcome::Over(cause, status) => {
                shard.tell(key, CallCommand::NotTaken(status.clone())).await;
                (cause, status)
            }
        };
        shard.end(key, cause).await;
        stage.send_replace(Stage::Gone(status));
        lifetime.over(cause, lines).await;
    }

    async fn until_answered(
        &mut self,
        mut call: OutgoingCall,
        lifetime: &mut Lifetime,
        lines: &mut Receiver<CallNotice>,
    ) -> Outcome {
        let mut stop = self.node.stop.subscribe();
        let mut deadline = tokio::time::Instant::now() + self.ring_timeout;
        let mut given_up: Option<(EndCause, SipStatus)> = None;
        let mut rings = false;
        loop {
            let (cause, code, reason) = tokio::select! {
                progress = call.next_progress() => match progress {
                    Progress::Ringing(code) => {
                        if !std::mem::replace(&mut rings, true) {
                            self.rings(code).await;
                        }
                        continue;
                    }
                    Progress::Early { code, sdp } => {
                        if !std::mem::replace(&mut rings, true) {
                            self.rings(code).await;
                        }
                        if let Some(session) = self.media.take_answer(&sdp, &self.node.config) {
                            self.media.shard.change(self.media.key, session).await;
                            self.stage.send_replace(Stage::Early);
                        }
                        continue;
                    }
                    Progress::Answered { dialog, answer } => match given_up {
                        // The answer was faster than our CANCEL; dropping the dialog hangs up.
                        Some((cause, status)) => return Outcome::Over(cause, status),
                        None => return self.answered(dialog, &answer).await,
                    },
                    Progress::Failed(Failure { code, reason, .. }) => {
                        let (cause, status) = given_up.unwrap_or_else(|| (cause_of(code), SipStatus { code, reason }));
                        return Outcome::Over(cause, status);
                    }
                },
                () = tokio::time::sleep_until(deadline) => match given_up {
                    Some((cause, status)) => return Outcome::Over(cause, status),
                    None => (EndCause::NoAnswer, 408, format!("No answer within {} s", self.ring_timeout.as_secs())),
                },
                Some(cause) = lifetime.told_to_end.next() => (cause, 487, "Given up".to_owned()),
                Some(order) = lifetime.orders.next() => {
                    self.ordered(*order).await;
                    continue;
                }
                Some(CallNotice::HangUp(cause)) = lines.next() => (cause, 487, "Given up".to_owned()),
                () = told_to_stop(&mut stop), if given_up.is_none() => {
                    (EndCause::NodeStopped, 487, "The node stops".to_owned())
                }
            };
            if given_up.is_none() {
                given_up = Some((cause, SipStatus { code, reason }));
                deadline = tokio::time::Instant::now() + CANCEL_LIMIT;
                call.cancel().await;
            }
        }
    }

    async fn rings(&self, code: u16) {
        self.stage.send_replace(Stage::Ringing);
        self.media.shard.tell(self.media.key, CallCommand::Note(EventKind::Ringing { code })).await;
    }

    async fn answered(&mut self, dialog: Dialog, answer: &str) -> Outcome {
        let early = self.media.agreed.take();
        self.media.takes_info = dialog.handle().allows("INFO");
        let Some(session) = self.media.take_answer(answer, &self.node.config) else {
            let reason = "The answer's SDP cannot be used".to_owned();
            return Outcome::Over(EndCause::SignallingFailed, SipStatus { code: 488, reason });
        };
        let (shard, key) = (&self.media.shard, self.media.key);
        if early != self.media.agreed {
            shard.change(key, session).await;
        }
        shard.tell(key, CallCommand::Note(EventKind::Answered)).await;
        if self.speaks {
            shard.tell(key, CallCommand::Begin).await;
        }
        // It is answered once.
        let _ = self.dialog.set(dialog.handle());
        self.stage.send_replace(Stage::Answered);
        Outcome::Answered(Box::new(dialog))
    }

    /// Before it is answered, a call can only be told what to know.
    async fn ordered(&self, order: super::orders::Order) {
        use super::orders::{AgentOrder, CallState, OrderError, Wanted};
        let outcome = match order.wanted {
            Wanted::Agent(order @ AgentOrder::Instruct(_)) => {
                self.media.shard.tell(self.media.key, order.into()).await;
                Ok(())
            }
            _ => Err(OrderError::WrongState(CallState::Ringing)),
        };
        let _ = order.outcome.send(outcome);
    }
}

// === impl OutboundLeg ===

impl OutboundLeg {
    pub fn key(&self) -> crate::shard::CallKey {
        self.key
    }

    /// Its dialog, once it is answered.
    pub fn dialog(&self) -> Option<&DialogHandle> {
        self.dialog.get()
    }

    /// Ends it for this cause, whoever keeps it.
    pub fn hang_up(&self, cause: EndCause) {
        self.node.calls.hang_up(&self.call_id, cause);
    }

    pub fn said(&mut self) -> &mut watch::Receiver<u32> {
        &mut self.said
    }

    /// Waits until it has come further; how far it is.
    pub async fn next_stage(&mut self) -> Stage {
        match self.stage.changed().await {
            Ok(()) => self.stage.borrow_and_update().clone(),
            Err(_) => Stage::Gone(SipStatus { code: 500, reason: "The call came to nothing".to_owned() }),
        }
    }

    /// Why it is gone, if it is.
    pub fn gone(&self) -> Option<SipStatus> {
        match &*self.stage.borrow() {
            Stage::Gone(status) => Some(status.clone()),
            _ => None,
        }
    }

    /// It lives on by itself.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for OutboundLeg {
    fn drop(&mut self) {
        if !self.kept {
            self.node.calls.hang_up(&self.call_id, EndCause::Cancelled);
        }
    }
}

fn no_way(error: &SipError) -> SipStatus {
    SipStatus { code: 503, reason: error.to_string() }
}

/// What a final answer to an INVITE means to whoever called (RFC 3261 section 21).
fn cause_of(code: u16) -> EndCause {
    match code {
        486 | 600 => EndCause::Busy,
        408 | 480 => EndCause::NoAnswer,
        404 | 410 | 484 | 485 | 604 | 500..=599 => EndCause::Unreachable,
        _ => EndCause::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_answer_has_one_meaning() {
        let meanings = [
            (486, EndCause::Busy),
            (600, EndCause::Busy),
            (480, EndCause::NoAnswer),
            (404, EndCause::Unreachable),
            (503, EndCause::Unreachable),
            (403, EndCause::Rejected),
            (603, EndCause::Rejected),
        ];
        for (code, cause) in meanings {
            assert_eq!(cause_of(code), cause, "{code}");
        }
    }
}
