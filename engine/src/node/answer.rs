//! One incoming call from INVITE to its end: authorise, find a place, answer, start the media.
//! Once it is up, `sip_call` follows it; SIP messages are sip-bridge's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use edge_protocol::{Attestation, CallerIdentity, Direction, EndCause};
use futures::channel::mpsc::{Receiver, channel};
use sip_bridge::{CallInfo, Dialog, DialogEvent, IncomingCall, Rejection, sdp};
use tokio::sync::watch;
use uuid::Uuid;

use super::Node;
use super::admission::RETRY_AFTER;
use super::lifetime::Lifetime;
use super::outbound::OutboundLeg;
use super::route::{NotThrough, put_through};
use super::sip_call::{CallMedia, SipCall};
use super::transfer::join;
use super::unstarted::Unstarted;
use crate::call::{AgentSettings, CallFacts, CallSetup, MediaSession, MediaSetup, StreamSeed, Tenant, WhenLeft};
use crate::control::{Admitted, CallRequest, Decision, Variables};
use crate::shard::{BridgeEnd, CallNotice, NOTICES};
use crate::wall_clock::unix_ms;

/// Answers a call and stays with it until it is over. What is only needed until the call stands is boxed: it is not to take
/// room for as long as it lasts.
pub async fn answer(node: Arc<Node>, incoming: Box<IncomingCall>) {
    let Some(_place) = node.cap.enter() else {
        node.refused("full");
        return Box::pin(incoming.reject(rejection(503, "Too many calls", Some(RETRY_AFTER)))).await;
    };
    if let Some(started) = Box::pin(start(&node, *incoming)).await {
        started.follow().await;
    }
}

/// Everything up to the first packet. `None`: there was no call, and whoever asked for one was told so.
async fn start(node: &Arc<Node>, incoming: IncomingCall) -> Option<Box<Started>> {
    let local = local_session(node);
    // The offer is read before anybody is asked: a call that cannot be answered is not to be admitted.
    let offered = match incoming.offer.as_deref().map(|offer| TheirOffer::read(offer, &local)).transpose() {
        Ok(offered) => offered,
        Err(error) => {
            node.refused("media");
            incoming.reject(error.into()).await;
            return None;
        }
    };
    let identity = match vouched_for(node, &incoming.info).await {
        Ok(identity) => identity,
        Err(refusal) => {
            node.refused("identity");
            incoming.reject(refusal).await;
            return None;
        }
    };
    let (call_id, asked_at_ms) = (Uuid::now_v7().to_string(), unix_ms());
    let mut admitted = match node.control.authorise(request_of(&incoming, &call_id, identity.clone())).await {
        Decision::Accept(admitted) => *admitted,
        Decision::Refuse(refusal) => {
            node.refused("unauthorised");
            let retry_after = (refusal.code == 503).then_some(RETRY_AFTER);
            incoming.reject(rejection(refusal.code, &refusal.reason, retry_after)).await;
            return None;
        }
    };
    let info = &incoming.info;
    if Variables::are_named_by(&admitted.agent) {
        admitted.agent = variables_of(info, identity.as_ref()).fill_in(&admitted.agent);
    }
    let facts = facts_of(node, info, admitted.tenant.clone(), identity);
    let unstarted = Unstarted { call_id, asked_at_ms, agent: admitted.agent.name.clone(), facts: facts.clone() };
    let started = match Answered::answer(node, incoming, (local, offered), &admitted).await {
        Some(answered) => answered.start(node, unstarted.call_id.clone(), facts, admitted).await,
        None => None,
    };
    if started.is_none() {
        unstarted.tell(node).await;
    }
    started
}

/// An offer, and what it and we agree on: it tells whom the port is for.
struct TheirOffer {
    offer: sdp::Offer,
    agreed: sdp::Negotiated,
}

/// A call whose 200 was sent.
struct Answered {
    dialog: Dialog,
    media: CallMedia,
    /// Whom the caller was put through to.
    party: Option<OutboundLeg>,
}

/// A call whose media run.
struct Started {
    call: SipCall,
    lifetime: Lifetime,
    lines: Receiver<CallNotice>,
}

// === impl TheirOffer ===

impl TheirOffer {
    fn read(offer: &str, local: &sdp::Local) -> Result<Self, sdp::SdpError> {
        let offer = sdp::Offer::parse(offer)?;
        let agreed = offer.agree(local)?;
        Ok(Self { offer, agreed })
    }
}

// === impl Answered ===

impl Answered {
    async fn answer(
        node: &Arc<Node>,
        incoming: IncomingCall,
        (mut local, offered): (sdp::Local, Option<TheirOffer>),
        admitted: &Admitted,
    ) -> Option<Self> {
        let shard = node.emptiest_shard()?;
        let theirs = offered.as_ref().map(|offered| &offered.agreed);
        let reservation = match shard.reserve(theirs.map(|agreed| agreed.remote_rtp), rtcp_of(theirs)).await {
            Ok(reservation) => reservation,
            Err(error) => {
                tracing::error!(%error, "no place for a call's media");
                node.refused("no_media_port");
                incoming.reject(rejection(503, "No media port", Some(RETRY_AFTER))).await;
                return None;
            }
        };
        local.port = reservation.port;
        let (agreed, body) = match offered.map(|offered| offered.offer.answer(&local)) {
            Some(Ok((agreed, body))) => (Some(agreed), body),
            // The same offer was fine a moment ago.
            Some(Err(_)) | None => (None, sdp::offer(&local)),
        };
        let party = match &admitted.route {
            Some(route) => match put_through(node, &incoming, route, admitted, &shard).await {
                Ok(party) => Some(party),
                Err(NotThrough(refusal)) => {
                    shard.release(reservation.key).await;
                    if let Some(refusal) = refusal {
                        incoming.reject(refusal).await;
                    }
                    return None;
                }
            },
            // Whoever is answered at once is not rung for.
            None => None,
        };
        match incoming.accept(body).await {
            Ok(dialog) => Some(Self {
                dialog,
                media: CallMedia {
                    shard,
                    key: reservation.key,
                    keys: node.media_keys.clone(),
                    local,
                    agreed,
                    dtmf: node.config.dtmf,
                    takes_info: false,
                },
                party,
            }),
            Err(error) => {
                tracing::info!(%error, "the call was gone before it was answered");
                shard.release(reservation.key).await;
                None
            }
        }
    }

    /// Starts the media once the answer is acknowledged. `None`: there was no call.
    async fn start(
        mut self,
        node: &Arc<Node>,
        call_id: String,
        facts: CallFacts,
        admitted: Admitted,
    ) -> Option<Box<Started>> {
        let (shard, key) = (self.media.shard.clone(), self.media.key);
        let Some(session) = self.acknowledged(node).await else {
            shard.release(key).await;
            // The dialog may be gone already, which is as well; the edge is not to wait for the answer.
            tokio::spawn(async move { self.dialog.bye(Some("no usable answer to our offer")).await });
            return None;
        };
        let (notices, lines) = channel(NOTICES);
        let record = node.config.recording && admitted.record;
        let agent = admitted.agent.clone();
        let setup = rtp_setup(call_id.clone(), unix_ms(), facts, session, admitted.agent, node);
        // The id was made for this call.
        let Some(lifetime) = Lifetime::begin(node, &setup, record) else {
            shard.release(key).await;
            return None;
        };
        shard.start(key, setup, lifetime.recording, notices).await.ok()?;
        if let Some(party) = self.party
            && let Err(gone) = join(&shard, BridgeEnd { key, when_left: WhenLeft::HangUp }, party).await
        {
            tracing::info!(call_id, code = gone.code, reason = gone.reason, "whom the call was put through to is gone");
            node.calls.hang_up(&call_id, EndCause::PeerHungUp);
        }
        let (dialog, media) = (self.dialog, self.media);
        let call = SipCall { node: node.clone(), call_id, agent, dialog, media, said: watch::Sender::new(0) };
        Some(Box::new(Started { call, lifetime, lines }))
    }

    /// The session, once the ACK came.
    async fn acknowledged(&mut self, node: &Node) -> Option<MediaSession> {
        self.media.takes_info = self.dialog.handle().allows("INFO");
        loop {
            match self.dialog.next_event().await? {
                DialogEvent::Confirmed { answer } => {
                    if let Some(answer) = answer {
                        return self.media.take_answer(&answer, &node.config);
                    }
                    return self.media.agreed.take().and_then(|agreed| self.media.agree(agreed, &node.config));
                }
                DialogEvent::Reoffer { reply, .. } => reply.reject(rejection(491, "Request Pending", None)).await,
                // A REFER is declined by being dropped.
                DialogEvent::Info { .. } | DialogEvent::Refer { .. } => {}
                DialogEvent::Ended { .. } => return None,
            }
        }
    }
}

// === impl Started ===

impl Started {
    /// To the call's end.
    async fn follow(mut self: Box<Self>) {
        let cause = self.call.until_over(&mut self.lifetime, &mut self.lines).await;
        self.call.media.shard.end(self.call.media.key, cause).await;
        self.lifetime.over(cause, self.lines).await;
    }
}

/// What a new call's SDP says of us, but for the port.
pub fn local_session(node: &Node) -> sdp::Local {
    sdp::Local {
        addr: node.config.rtp_ip,
        codecs: node.config.codecs.0.clone(),
        port: 0,
        rtcp_mux: true,
        session_id: rand_u64() >> 1,
        version: 1,
        security: node.media_keys.of_a_call(),
    }
}

/// Who vouches for the caller's number; `None` where that is not verified.
///
/// # Errors
/// The answer where somebody has to, and nobody does.
async fn vouched_for(node: &Node, info: &CallInfo) -> Result<Option<CallerIdentity>, Rejection> {
    match &node.identities {
        Some(identities) => identities.verify(info).await.map(Some),
        None => Ok(None),
    }
}

fn facts_of(node: &Node, info: &CallInfo, tenant: Option<Tenant>, identity: Option<CallerIdentity>) -> CallFacts {
    CallFacts {
        direction: Direction::Inbound,
        from: info.from.clone(),
        to: info.to.clone(),
        sip_call_id: info.sip_call_id.clone(),
        node: node.config.node_name.clone(),
        headers: info.headers.clone(),
        tenant,
        identity,
    }
}

/// A call over RTP with the random beginnings of its stream.
pub fn rtp_setup(
    call_id: String,
    started_at_ms: u64,
    facts: CallFacts,
    session: MediaSession,
    agent: Arc<AgentSettings>,
    node: &Node,
) -> CallSetup {
    let [ssrc, start] = [rand_u64() as u32, rand_u64() as u32];
    let seed = StreamSeed {
        ssrc,
        // The first half of the range, so that no early loss hides a wrap from SRTP (RFC 3711 section 3.3.1).
        sequence: (start >> 17) as u16,
        timestamp: start,
        cname: format!("{ssrc:08x}@tandem"),
        started_at_ms,
    };
    let (limits, minute_microcredits) = (node.speech_limits, node.config.telephony.minute(facts.direction));
    let media = MediaSetup::Rtp { seed, session };
    CallSetup { call_id, started_at_ms, facts, media, agent, limits, minute_microcredits }
}

/// What an agent's texts may name of a call: beside its headers, what carriers say of it in words of their own.
fn variables_of(info: &CallInfo, identity: Option<&CallerIdentity>) -> Variables {
    let mut variables = Variables::of_call(&info.from, &info.request_uri, &info.headers);
    let (verstat, attestation, origid) = match identity {
        Some(CallerIdentity::Passed { attestation, origid }) => {
            ("passed", attestation.map(Attestation::letter), origid.as_deref())
        }
        Some(CallerIdentity::Failed { .. }) => ("failed", None, None),
        Some(CallerIdentity::Absent) => ("absent", None, None),
        None => ("", None, None),
    };
    let own = [
        ("verstat", Some(verstat)),
        ("attestation", attestation),
        ("origid", origid),
        ("caller_name", info.from_display.as_deref()),
        ("asserted", info.asserted.first().map(|party| party.uri.as_str())),
        ("diverted_from", info.diversions.first().map(|diversion| diversion.uri.as_str())),
        ("diversion_reason", info.diversions.first().and_then(|diversion| diversion.reason.as_deref())),
        ("user_to_user", info.user_to_user.as_deref()),
    ];
    for (name, value) in own {
        variables.set(name, value.unwrap_or_default());
    }
    variables
}

fn request_of(incoming: &IncomingCall, call_id: &str, identity: Option<CallerIdentity>) -> CallRequest {
    CallRequest {
        call_id: call_id.to_owned(),
        direction: Direction::Inbound,
        sip_call_id: incoming.info.sip_call_id.clone(),
        headers: incoming.info.headers.clone(),
        from: incoming.info.from.clone(),
        to: incoming.info.to.clone(),
        request_uri: incoming.info.request_uri.clone(),
        source: incoming.info.source,
        identity,
    }
}

fn rtcp_of(agreed: Option<&sdp::Negotiated>) -> Option<SocketAddr> {
    agreed.filter(|a| !a.rtcp_mux).map(|a| a.remote_rtcp)
}

pub fn rejection(code: u16, reason: &str, retry_after: Option<Duration>) -> Rejection {
    Rejection { code, reason: Some(reason.to_owned()), retry_after, warning: None }
}

fn rand_u64() -> u64 {
    let (high, low) = Uuid::new_v4().as_u64_pair();
    high ^ low
}
