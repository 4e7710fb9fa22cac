//! One incoming call from INVITE to its end: authorise, find a place, answer, start the media, follow the dialog.
//! The conversation is the call's own; SIP messages are sip-bridge's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use edge_protocol::{Direction, EndCause};
use sip_bridge::{Dialog, DialogEnd, DialogEvent, IncomingCall, OfferReply, Rejection, sdp};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::watch;
use uuid::Uuid;

use super::admission::RETRY_AFTER;
use super::{LiveCall, Node};
use crate::audio::g711::Law;
use crate::call::{AgentSettings, CallFacts, CallSetup, MediaSession, StreamSeed};
use crate::control::{CallRequest, ControlPlane, Decision};
use crate::recorder::{RecordingId, RecordingMeta};
use crate::shard::{CallKey, CallNotice, NOTICES, Reservation, ShardHandle};

/// How long a shard may take to bury a call.
const BURIAL: Duration = Duration::from_secs(10);

/// Answers a call and stays with it until it is over.
pub async fn answer(node: Arc<Node>, incoming: IncomingCall) {
    let Some(_place) = node.cap.enter() else {
        node.refused("full");
        return incoming.reject(rejection(503, "Too many calls", Some(RETRY_AFTER))).await;
    };
    let call_id = Uuid::now_v7().to_string();
    let agent = match node.control.authorise(request_of(&incoming, &call_id)).await {
        Decision::Accept(agent) => agent,
        Decision::Refuse(refusal) => {
            node.refused("unauthorised");
            return incoming.reject(rejection(refusal.code, &refusal.reason, None)).await;
        }
    };
    if let Some(answered) = Answered::answer(&node, incoming, call_id).await {
        answered.follow(node, agent).await;
    }
}

/// A call whose 200 was sent.
struct Answered {
    call_id: String,
    dialog: Dialog,
    shard: ShardHandle,
    reservation: Reservation,
    local: sdp::Local,
    /// What the offer and our answer agree on; `None` until a late offer is answered in the ACK.
    agreed: Option<sdp::Negotiated>,
}

// === impl Answered ===

impl Answered {
    async fn answer(node: &Node, incoming: IncomingCall, call_id: String) -> Option<Self> {
        let mut local =
            sdp::Local { addr: node.config.rtp_ip, port: 0, rtcp_mux: true, session_id: rand_u64() >> 1, version: 1 };
        // The offer is read once before a port is taken, to refuse early and to know whom the port is for.
        let offered = match incoming.offer.as_deref().map(|offer| sdp::answer(offer, &local)).transpose() {
            Ok(offered) => offered.map(|(agreed, _)| agreed),
            Err(error) => {
                node.refused("media");
                incoming.reject(error.into()).await;
                return None;
            }
        };
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
            Ok(dialog) => Some(Self { call_id, dialog, shard, reservation, local, agreed }),
            Err(error) => {
                tracing::info!(%error, "the call was gone before it was answered");
                shard.release(reservation.key).await;
                None
            }
        }
    }

    /// Starts the media once the answer is acknowledged, and follows the dialog to its end.
    async fn follow(mut self, node: Arc<Node>, agent: Arc<AgentSettings>) {
        let key = self.reservation.key;
        let Some(session) = self.acknowledged().await else {
            self.shard.release(key).await;
            // The dialog may be gone already, which is as well.
            let _ = self.dialog.bye(Some("no usable answer to our offer")).await;
            return;
        };
        let (notices, from_shard) = channel(NOTICES);
        let setup = self.setup(&node, session, agent);
        let call_id = setup.call_id.clone();
        let started_at_ms = setup.started_at_ms;
        let recording = open_recording(&node, &setup);
        node.calls.add(LiveCall {
            call_id: call_id.clone(),
            from: setup.facts.from.clone(),
            to: setup.facts.to.clone(),
            agent: setup.agent.name.clone(),
            started_at_ms,
        });
        tracing::info!(%call_id, from = %setup.facts.from, sip_call_id = %setup.facts.sip_call_id, "call started");
        if self.shard.start(key, setup, recording, notices).await.is_ok() {
            let mut lines = from_shard;
            let cause = self.until_over(&node, key, &mut lines).await;
            tracing::info!(%call_id, ?cause, "call ended");
            self.shard.end(key, cause).await;
            if let Some(next_seq) = buried(lines).await {
                node.calls.expect_recording(&call_id, started_at_ms, next_seq);
            }
        }
        node.calls.remove(&call_id);
        if let Some(id) = recording
            && let Err(error) = node.recorder.finish(id)
        {
            tracing::error!(%call_id, %error, "the recording was not finished");
        }
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
                DialogEvent::Info { .. } => {}
                DialogEvent::Ended { .. } => return None,
            }
        }
    }

    /// Passes on what either side does until one ends the call.
    async fn until_over(&mut self, node: &Node, key: CallKey, lines: &mut Receiver<CallNotice>) -> EndCause {
        let mut stop = node.stop.subscribe();
        let mut our_cause = None;
        loop {
            tokio::select! {
                event = self.dialog.next_event() => match event {
                    Some(DialogEvent::Reoffer { offer, reply }) => self.reoffered(key, offer, reply).await,
                    Some(DialogEvent::Confirmed { answer: Some(answer) }) => self.offer_answered(key, &answer).await,
                    Some(DialogEvent::Confirmed { answer: None } | DialogEvent::Info { .. }) => {}
                    Some(DialogEvent::Ended { cause }) => return our_cause.unwrap_or(cause_of(&cause)),
                    None => return our_cause.unwrap_or(EndCause::SignallingFailed),
                },
                Some(CallNotice::HangUp(cause)) = lines.recv(), if our_cause.is_none() => {
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
                self.shard.change(key, media_session(&agreed)).await;
                self.agreed = Some(agreed);
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

    fn setup(&self, node: &Node, session: MediaSession, agent: Arc<AgentSettings>) -> CallSetup {
        let info = &self.dialog.info;
        let started_at_ms = unix_ms();
        let [ssrc, start] = [rand_u64() as u32, rand_u64() as u32];
        CallSetup {
            call_id: self.call_id.clone(),
            started_at_ms,
            facts: CallFacts {
                direction: Direction::Inbound,
                from: info.from.clone(),
                to: info.to.clone(),
                sip_call_id: info.sip_call_id.clone(),
                node: node.config.node_name.clone(),
                headers: info.headers.clone(),
                tenant: None,
            },
            seed: StreamSeed {
                ssrc,
                sequence: (start >> 16) as u16,
                timestamp: start,
                cname: format!("{ssrc:08x}@tandem"),
                started_at_ms,
            },
            session,
            agent,
        }
    }
}

fn open_recording(node: &Node, setup: &CallSetup) -> Option<RecordingId> {
    let meta = RecordingMeta {
        call_id: setup.call_id.clone(),
        started_at_ms: setup.started_at_ms,
        from: setup.facts.from.clone(),
        to: setup.facts.to.clone(),
    };
    let opened = node.config.recording.then(|| node.recorder.open(meta))?;
    opened.inspect_err(|error| tracing::error!(%error, "the call is not recorded")).ok()
}

/// Waits until the shard has let go of the call; its next event's number.
async fn buried(mut lines: Receiver<CallNotice>) -> Option<u64> {
    let gone = async {
        loop {
            match lines.recv().await? {
                CallNotice::Gone { next_seq } => return Some(next_seq),
                CallNotice::HangUp(_) => {}
            }
        }
    };
    tokio::time::timeout(BURIAL, gone).await.ok().flatten()
}

/// Resolves when the node's calls are to end.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    // A node that is gone has no calls to follow either.
    let _ = stop.wait_for(|stopped| *stopped).await;
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
        DialogEnd::AckTimeout | DialogEnd::Failed(_) => EndCause::SignallingFailed,
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn rand_u64() -> u64 {
    let (high, low) = Uuid::new_v4().as_u64_pair();
    high ^ low
}
