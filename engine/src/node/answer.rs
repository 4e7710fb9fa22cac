//! One incoming call from INVITE to its end: authorise, find a place, answer, start the media, follow the dialog.
//! The conversation is the call's own; SIP messages are sip-bridge's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use edge_protocol::{Direction, EndCause};
use sip_bridge::{CallInfo, Dialog, DialogEnd, DialogEvent, IncomingCall, OfferReply, Rejection, sdp};
use tokio::sync::mpsc::{Receiver, channel};
use uuid::Uuid;

use super::Node;
use super::admission::RETRY_AFTER;
use super::info_key::key_in;
use super::lifetime::{Lifetime, told_to_stop};
use super::unstarted::Unstarted;
use crate::audio::g711::Law;
use crate::call::{CallFacts, CallSetup, MediaSession, MediaSetup, StreamSeed, Tenant};
use crate::control::{Admitted, CallRequest, Decision};
use crate::shard::{CallKey, CallNotice, NOTICES, Reservation, ShardHandle};
use crate::wall_clock::unix_ms;

/// Answers a call and stays with it until it is over.
pub async fn answer(node: Arc<Node>, incoming: IncomingCall) {
    let Some(_place) = node.cap.enter() else {
        node.refused("full");
        return incoming.reject(rejection(503, "Too many calls", Some(RETRY_AFTER))).await;
    };
    let local = local_session(&node);
    // The offer is read before anybody is asked: a call that cannot be answered is not to be admitted.
    let offered = match incoming.offer.as_deref().map(|offer| sdp::answer(offer, &local)).transpose() {
        Ok(offered) => offered.map(|(agreed, _)| agreed),
        Err(error) => {
            node.refused("media");
            return incoming.reject(error.into()).await;
        }
    };
    let (call_id, asked_at_ms) = (Uuid::now_v7().to_string(), unix_ms());
    let admitted = match node.control.authorise(request_of(&incoming, &call_id)).await {
        Decision::Accept(admitted) => *admitted,
        Decision::Refuse(refusal) => {
            node.refused("unauthorised");
            let retry_after = (refusal.code == 503).then_some(RETRY_AFTER);
            return incoming.reject(rejection(refusal.code, &refusal.reason, retry_after)).await;
        }
    };
    let facts = facts_of(&node, &incoming.info, admitted.tenant.clone());
    let unstarted = Unstarted { call_id, asked_at_ms, agent: admitted.agent.name.clone(), facts: facts.clone() };
    let started = match Answered::answer(&node, incoming, (local, offered)).await {
        Some(answered) => answered.follow(&node, unstarted.call_id.clone(), facts, admitted).await,
        None => false,
    };
    if !started {
        unstarted.tell(&node).await;
    }
}

/// A call whose 200 was sent.
struct Answered {
    dialog: Dialog,
    shard: ShardHandle,
    reservation: Reservation,
    local: sdp::Local,
    /// What the offer and our answer agree on; `None` until a late offer is answered in the ACK.
    agreed: Option<sdp::Negotiated>,
}

// === impl Answered ===

impl Answered {
    /// `offered` is what the offer, if there is one, and `local` agree on: it tells whom the port is for.
    async fn answer(
        node: &Node,
        incoming: IncomingCall,
        (mut local, offered): (sdp::Local, Option<sdp::Negotiated>),
    ) -> Option<Self> {
        let shard = node.emptiest_shard()?;
        let reservation = match shard.reserve(offered.as_ref().map(|o| o.remote_rtp), rtcp_of(offered.as_ref())).await {
            Ok(reservation) => reservation,
            Err(error) => {
                tracing::error!(%error, "no place for a call's media");
                node.refused("no_media_port");
                incoming.reject(rejection(503, "No media port", Some(RETRY_AFTER))).await;
                return None;
            }
        };
        local.port = reservation.port;
        let (agreed, body) = match incoming.offer.as_deref().map(|offer| sdp::answer(offer, &local)) {
            Some(Ok((agreed, body))) => (Some(agreed), body),
            // The same offer was fine a moment ago.
            Some(Err(_)) | None => (None, sdp::offer(&local)),
        };
        if let Err(error) = incoming.ring().await {
            tracing::debug!(%error, "ringing was not sent");
        }
        match incoming.accept(body).await {
            Ok(dialog) => Some(Self { dialog, shard, reservation, local, agreed }),
            Err(error) => {
                tracing::info!(%error, "the call was gone before it was answered");
                shard.release(reservation.key).await;
                None
            }
        }
    }

    /// Starts the media once the answer is acknowledged, and follows the dialog to its end. False: there was no call.
    async fn follow(mut self, node: &Arc<Node>, call_id: String, facts: CallFacts, admitted: Admitted) -> bool {
        let key = self.reservation.key;
        let Some(session) = self.acknowledged().await else {
            self.shard.release(key).await;
            // The dialog may be gone already, which is as well; the edge is not to wait for the answer.
            tokio::spawn(async move { self.dialog.bye(Some("no usable answer to our offer")).await });
            return false;
        };
        let (notices, mut lines) = channel(NOTICES);
        let record = node.config.recording && admitted.record;
        let setup = setup(call_id, facts, session, admitted);
        // The id was made for this call.
        let Some(mut lifetime) = Lifetime::begin(node, &setup, record) else {
            self.shard.release(key).await;
            return false;
        };
        if self.shard.start(key, setup, lifetime.recording, notices).await.is_err() {
            return false;
        }
        let cause = self.until_over(node, key, &mut lines, &mut lifetime.told_to_end).await;
        self.shard.end(key, cause).await;
        lifetime.over(cause, lines).await;
        true
    }

    /// The session, once the ACK came.
    async fn acknowledged(&mut self) -> Option<MediaSession> {
        loop {
            match self.dialog.next_event().await? {
                DialogEvent::Confirmed { answer } => {
                    if let Some(answer) = answer {
                        self.agreed = self.read_answer(&answer);
                    }
                    return self.agreed.as_ref().map(media_session);
                }
                DialogEvent::Reoffer { reply, .. } => reply.reject(rejection(491, "Request Pending", None)).await,
                DialogEvent::Info { .. } | DialogEvent::Refer { .. } => {}
                DialogEvent::Ended { .. } => return None,
            }
        }
    }

    /// Passes on what either side does until one ends the call.
    async fn until_over(
        &mut self,
        node: &Node,
        key: CallKey,
        lines: &mut Receiver<CallNotice>,
        told_to_end: &mut Receiver<EndCause>,
    ) -> EndCause {
        let mut stop = node.stop.subscribe();
        let mut our_cause = None;
        loop {
            tokio::select! {
                event = self.dialog.next_event() => match event {
                    Some(DialogEvent::Reoffer { offer, reply }) => self.reoffered(key, offer, reply).await,
                    Some(DialogEvent::Confirmed { answer: Some(answer) }) => self.offer_answered(key, &answer).await,
                    Some(DialogEvent::Info { content_type, body }) => {
                        if let Some(digit) = key_in(&content_type, &body) {
                            self.shard.key_pressed(key, digit).await;
                        }
                    }
                    Some(DialogEvent::Confirmed { answer: None }) => {}
                    // Dropped, which declines it.
                    Some(DialogEvent::Refer { .. }) => {}
                    Some(DialogEvent::Ended { cause }) => return our_cause.unwrap_or(cause_of(&cause)),
                    None => return our_cause.unwrap_or(EndCause::SignallingFailed),
                },
                Some(CallNotice::HangUp(cause)) = lines.recv(), if our_cause.is_none() => {
                    our_cause = Some(cause);
                    self.bye(cause);
                }
                Some(cause) = told_to_end.recv(), if our_cause.is_none() => {
                    our_cause = Some(cause);
                    self.bye(cause);
                }
                () = told_to_stop(&mut stop), if our_cause.is_none() => {
                    our_cause = Some(EndCause::NodeStopped);
                    self.bye(EndCause::NodeStopped);
                }
            }
        }
    }

    /// Sends BYE. Whether it is answered is not waited for: the dialog says at once that it is over.
    fn bye(&self, cause: EndCause) {
        let reason = serde_json::to_value(cause).ok().and_then(|v| v.as_str().map(str::to_owned));
        let dialog = self.dialog.handle();
        tokio::spawn(async move {
            if let Err(error) = dialog.bye(reason.as_deref()).await {
                tracing::debug!(%error, "BYE was not answered");
            }
        });
    }

    /// A re-INVITE or UPDATE: the media changes if we can speak what it offers, and stays as it is if not.
    async fn reoffered(&mut self, key: CallKey, offer: Option<String>, reply: OfferReply) {
        self.local.version += 1;
        let Some(offer) = offer else {
            return reply.accept(sdp::offer(&self.local)).await;
        };
        match sdp::answer(&offer, &self.local) {
            Ok((agreed, body)) => {
                reply.accept(body).await;
                if self.agreed.as_ref() != Some(&agreed) {
                    self.shard.change(key, media_session(&agreed)).await;
                    self.agreed = Some(agreed);
                }
            }
            Err(error) => reply.reject(error.into()).await,
        }
    }

    /// The answer to an offer we made in a re-INVITE's 200.
    async fn offer_answered(&mut self, key: CallKey, answer: &str) {
        if let Some(agreed) = self.read_answer(answer) {
            self.shard.change(key, media_session(&agreed)).await;
            self.agreed = Some(agreed);
        }
    }

    fn read_answer(&self, answer: &str) -> Option<sdp::Negotiated> {
        sdp::accept_answer(answer, &self.local)
            .inspect_err(|error| tracing::warn!(%error, "the answer to our offer cannot be used"))
            .ok()
    }
}

/// What a new call's SDP says of us, but for the port.
fn local_session(node: &Node) -> sdp::Local {
    sdp::Local { addr: node.config.rtp_ip, port: 0, rtcp_mux: true, session_id: rand_u64() >> 1, version: 1 }
}

fn facts_of(node: &Node, info: &CallInfo, tenant: Option<Tenant>) -> CallFacts {
    CallFacts {
        direction: Direction::Inbound,
        from: info.from.clone(),
        to: info.to.clone(),
        sip_call_id: info.sip_call_id.clone(),
        node: node.config.node_name.clone(),
        headers: info.headers.clone(),
        tenant,
    }
}

fn setup(call_id: String, facts: CallFacts, session: MediaSession, admitted: Admitted) -> CallSetup {
    let started_at_ms = unix_ms();
    let [ssrc, start] = [rand_u64() as u32, rand_u64() as u32];
    let seed = StreamSeed {
        ssrc,
        sequence: (start >> 16) as u16,
        timestamp: start,
        cname: format!("{ssrc:08x}@tandem"),
        started_at_ms,
    };
    CallSetup { call_id, started_at_ms, facts, media: MediaSetup::Rtp { seed, session }, agent: admitted.agent }
}

fn request_of(incoming: &IncomingCall, call_id: &str) -> CallRequest {
    CallRequest {
        call_id: call_id.to_owned(),
        sip_call_id: incoming.info.sip_call_id.clone(),
        headers: incoming.info.headers.clone(),
        from: incoming.info.from.clone(),
        to: incoming.info.to.clone(),
        request_uri: incoming.info.request_uri.clone(),
        source: incoming.info.source,
    }
}

fn media_session(agreed: &sdp::Negotiated) -> MediaSession {
    let (sends, receives) = match agreed.direction {
        sdp::Direction::SendRecv => (true, true),
        sdp::Direction::SendOnly => (true, false),
        sdp::Direction::RecvOnly => (false, true),
        sdp::Direction::Inactive => (false, false),
    };
    MediaSession {
        law: match agreed.codec {
            sdp::Codec::Pcmu => Law::Mu,
            sdp::Codec::Pcma => Law::A,
        },
        payload_type: agreed.payload_type,
        telephone_event: agreed.telephone_event,
        frames_per_packet: u8::try_from(agreed.ptime_ms / 20).unwrap_or(1).clamp(1, 3),
        remote_rtp: agreed.remote_rtp,
        remote_rtcp: agreed.remote_rtcp,
        rtcp_mux: agreed.rtcp_mux,
        sends,
        receives,
    }
}

fn rtcp_of(agreed: Option<&sdp::Negotiated>) -> Option<SocketAddr> {
    agreed.filter(|a| !a.rtcp_mux).map(|a| a.remote_rtcp)
}

fn rejection(code: u16, reason: &str, retry_after: Option<Duration>) -> Rejection {
    Rejection { code, reason: Some(reason.to_owned()), retry_after, warning: None }
}

fn cause_of(end: &DialogEnd) -> EndCause {
    match end {
        DialogEnd::RemoteBye => EndCause::CallerHungUp,
        DialogEnd::LocalBye => EndCause::AgentHungUp,
        DialogEnd::AckTimeout | DialogEnd::SessionExpired | DialogEnd::Failed(_) => EndCause::SignallingFailed,
    }
}

fn rand_u64() -> u64 {
    let (high, low) = Uuid::new_v4().as_u64_pair();
    high ^ low
}
