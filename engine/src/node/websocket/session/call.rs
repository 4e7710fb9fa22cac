//! The call of a session: admitted, started on a shard, followed from both sides, ended.
//! The conversation is the call's own; how messages are spelled is the dialect's.

mod handover;

use std::sync::Arc;

use axum::extract::ws::close_code;
use edge_protocol::{Direction, EndCause};
use futures::StreamExt;
use futures::channel::mpsc::{Receiver, channel};
use uuid::Uuid;

use super::{Heard, Session, Socket, Unreachable};
use crate::audio::FRAME_SAMPLES;
use crate::audio::g711::Law;
use crate::call::{CallFacts, CallSetup, Cue, LawFrame, MediaSetup};
use crate::control::{Admitted, CallRequest, Decision, Variables};
use crate::node::lifetime::{Lifetime, told_to_stop};
use crate::node::orders::{CallState, Order, OrderError, Wanted};
use crate::node::unstarted::Unstarted;
use crate::node::websocket::dialect::{Dialect, FromClient, Start, ToClient, Unusable};
use crate::node::{Node, Status, recordings};
use crate::recorder::archive;
use crate::shard::{CallKey, CallNotice, FramePort, FromCaller, NOTICES, ShardHandle, ToCaller};
use crate::wall_clock::unix_ms;
use handover::{Handover, due};

/// Longest `from` and `to`, bytes: a SIP URI that is longer is none.
const MAX_NAME_BYTES: usize = 512;

/// Variables of one call; what is told beyond them is forgotten.
const MOST_VARIABLES: usize = 64;

/// A call that cannot be: the label it is counted under, the close code, what the client is told.
struct Refused(&'static str, u16, String);

/// The caller's bytes on their way to become frames.
#[derive(Default)]
struct Framer {
    partial: Vec<u8>,
}

// === impl Session ===

impl<S: Socket, D: Dialect> Session<S, D> {
    /// Holds the call the client asked for. The close code to end with.
    pub(super) async fn call(&mut self, mut start: Start) -> u16 {
        let (call_id, admitted) = match self.admitted(&mut start).await {
            Ok(admitted) => admitted,
            Err(Refused(label, code, reason)) => return self.refuse(label, code, &reason).await,
        };
        let node = self.node.clone();
        let (notices, mut lines) = channel(NOTICES);
        let record = node.config.recording && admitted.record;
        self.transfers = start.transfers;
        let setup = setup(&node, call_id, start, admitted);
        let call_id = setup.call_id.clone();
        let unstarted = unstarted(&setup);
        let Some(mut lifetime) = Lifetime::begin(&node, &setup, record) else {
            return self.refuse("call_id", close_code::POLICY, "a call with this call_id is live").await;
        };
        let started = match node.emptiest_shard() {
            Some(shard) => shard.start_frames(setup, lifetime.recording, notices).await.ok().map(|call| (shard, call)),
            None => None,
        };
        let Some((shard, (key, mut port))) = started else {
            unstarted.tell(&node).await;
            return self.refuse("stopping", close_code::RESTART, "this node is stopping").await;
        };
        let cause = match self.tell(ToClient::Started { call_id: &call_id }).await {
            Ok(()) => self.until_over(&mut port, &mut lines, &mut lifetime, (&shard, key)).await,
            Err(Unreachable) => EndCause::CallerHungUp,
        };
        shard.end(key, cause).await;
        lifetime.over(cause, lines).await;
        self.ended(cause).await
    }

    /// Whether the call may be, as the edge said or as this node's control plane says.
    async fn admitted(&mut self, start: &mut Start) -> Result<(String, Admitted), Refused> {
        let policy = |reason: String| Refused("call_id", close_code::POLICY, reason);
        if start.from.len() > MAX_NAME_BYTES || start.to.len() > MAX_NAME_BYTES {
            return Err(policy(format!("from and to take {MAX_NAME_BYTES} bytes each")));
        }
        start.variables.truncate(MOST_VARIABLES);
        let call_id = match &start.call_id {
            None => Uuid::now_v7(),
            Some(id) => Uuid::try_parse(id).map_err(|_| policy(format!("call_id {id:?} is no UUID")))?,
        };
        let call_id = call_id.hyphenated().to_string();
        if was_recorded(&self.node, &call_id).await {
            return Err(policy("there was a call with this call_id".to_owned()));
        }
        let draining = self.node.status() == Status::Draining;
        let refused = || Refused("draining", close_code::RESTART, "this node takes no new calls".to_owned());
        if let Some(acceptance) = start.admitted.take() {
            if !self.signed {
                return Err(policy("admitted is taken from whoever signs the upgrade, from nobody else".to_owned()));
            }
            let admitted = Admitted::try_from(acceptance).map_err(|error| policy(error.to_string()))?;
            if draining {
                // The id of a live call is not to be ended by somebody who took it again.
                if !self.node.calls.is_live(&call_id) {
                    unstarted(&setup(&self.node, call_id, start.clone(), admitted)).tell(&self.node).await;
                }
                return Err(refused());
            }
            return Ok((call_id, admitted));
        }
        if draining {
            return Err(refused());
        }
        let request = CallRequest {
            call_id: call_id.clone(),
            direction: Direction::Inbound,
            sip_call_id: String::new(),
            from: start.from.clone(),
            to: start.to.clone(),
            request_uri: start.to.clone(),
            source: self.peer,
            headers: start.variables.clone(),
            identity: None,
        };
        match self.node.control.authorise(request).await {
            Decision::Accept(admitted) => Ok((call_id, *admitted)),
            Decision::Refuse(refusal) => {
                let code = if refusal.code == 503 { close_code::AGAIN } else { close_code::POLICY };
                Err(Refused("unauthorised", code, format!("{} ({})", refusal.reason, refusal.code)))
            }
        }
    }

    /// Passes on what either side has until one ends the call.
    async fn until_over(
        &mut self,
        port: &mut FramePort,
        lines: &mut Receiver<CallNotice>,
        lifetime: &mut Lifetime,
        (shard, key): (&ShardHandle, CallKey),
    ) -> EndCause {
        let mut stop = self.node.stop.subscribe();
        let mut framer = Framer::default();
        let mut handover = None;
        loop {
            let told = tokio::select! {
                heard = self.hear() => match heard {
                    Heard::Said(FromClient::Audio(audio)) => {
                        self.unusable = 0;
                        framer.push(&audio, |frame| port.push(FromCaller::Audio(frame)));
                        Ok(())
                    }
                    Heard::Said(FromClient::Key(key)) => {
                        self.unusable = 0;
                        port.push(FromCaller::Key(key));
                        Ok(())
                    }
                    Heard::Said(FromClient::Played(mark)) => {
                        self.unusable = 0;
                        port.push(FromCaller::Played(mark));
                        Ok(())
                    }
                    Heard::Said(FromClient::Start(_)) => {
                        let again = Unusable("the call was started before".to_owned());
                        if !self.not_usable(&again).await {
                            return EndCause::SignallingFailed;
                        }
                        Ok(())
                    }
                    Heard::Nothing => Ok(()),
                    Heard::Unusable(unusable) if self.not_usable(&unusable).await => Ok(()),
                    Heard::Unusable(_) => return EndCause::SignallingFailed,
                    Heard::Said(FromClient::HangUp) => return EndCause::CallerHungUp,
                    Heard::Gone(error) => {
                        self.gone(error).await;
                        return EndCause::CallerHungUp;
                    }
                },
                next = port.next() => match next {
                    Some(next) => self.pass_on(next, port).await,
                    // The shard has let go of the call: it stops.
                    None => return EndCause::NodeStopped,
                },
                Some(order) = lifetime.orders.next() => {
                    self.carry_out(*order, (shard, key), &mut handover).await;
                    Ok(())
                }
                Some(notice) = lines.next() => match notice {
                    CallNotice::HangUp(cause) => {
                        self.say_the_rest(port).await;
                        // The agent's goodbye takes nothing back of what was ordered.
                        let ordered = handover.filter(|_| cause == EndCause::AgentHungUp);
                        return self.hand_over(ordered).await.unwrap_or(cause);
                    }
                    CallNotice::Transfer(_) if handover.is_some() => Ok(()),
                    CallNotice::Transfer(wish) => {
                        handover = Some(Handover::wished(*wish, (shard, key)).await);
                        Ok(())
                    }
                    CallNotice::Said => {
                        handover.iter_mut().for_each(Handover::hurry);
                        Ok(())
                    }
                    // Keys are pressed as tones here; that a call is gone matters once it was ended.
                    CallNotice::Press(_) | CallNotice::Gone { .. } => Ok(()),
                },
                () = due(handover.as_ref()) => {
                    self.say_the_rest(port).await;
                    return self.hand_over(handover).await.unwrap_or(EndCause::CallerHungUp);
                }
                Some(cause) = lifetime.told_to_end.next() => return cause,
                () = told_to_stop(&mut stop) => return EndCause::NodeStopped,
            };
            if told.is_err() {
                return EndCause::CallerHungUp;
            }
        }
    }

    /// Tells the client what has come from the call.
    async fn pass_on(&mut self, first: ToCaller, port: &mut FramePort) -> Result<(), Unreachable> {
        let mut waiting = vec![first];
        waiting.extend(std::iter::from_fn(|| port.try_next()));
        forget_flushed(&mut waiting);
        for next in &waiting {
            match next {
                ToCaller::Audio(frame) => self.tell(ToClient::Audio(frame)).await,
                ToCaller::Mark(mark) => self.tell(ToClient::Mark(*mark)).await,
                ToCaller::Cue(Cue::AgentSays(text)) => self.tell(ToClient::AgentText(text)).await,
                ToCaller::Cue(Cue::CallerSaid(text)) => self.tell(ToClient::CallerText(text)).await,
                ToCaller::Cue(Cue::Thinking) => self.tell(ToClient::Thinking).await,
                ToCaller::Cue(Cue::Flush) => self.tell(ToClient::Flush).await,
                ToCaller::Cue(Cue::Overrun) => {
                    self.tell(ToClient::Error("audio comes faster than real time: the oldest of it is dropped")).await
                }
            }?;
        }
        Ok(())
    }

    /// The last word may still be under way.
    async fn say_the_rest(&mut self, port: &mut FramePort) {
        if let Some(next) = port.try_next() {
            let _ = self.pass_on(next, port).await;
        }
    }

    /// Does what was ordered, as far as a call without SIP can.
    async fn carry_out(
        &mut self,
        order: Order,
        (shard, key): (&ShardHandle, CallKey),
        handover: &mut Option<Handover>,
    ) {
        let outcome = match order.wanted {
            Wanted::Agent(order) => {
                shard.tell(key, order.into()).await;
                Ok(())
            }
            Wanted::Transfer(order) if self.transfers && handover.is_none() => {
                Handover::ordered(order, (shard, key)).await.map(|ordered| *handover = Some(ordered))
            }
            Wanted::Transfer(_) if self.transfers => Err(OrderError::WrongState(CallState::Transferring)),
            Wanted::Transfer(_) => Err(OrderError::NotPossible("the client of this call gives it to nobody")),
            _ => Err(OrderError::NotPossible("a call over a WebSocket cannot be held or sent keys")),
        };
        // Whoever ordered it may be gone.
        let _ = order.outcome.send(outcome);
    }

    /// Tells the client to give the caller away, which ends the call. `None` if there is no handover, or no client any more.
    async fn hand_over(&mut self, handover: Option<Handover>) -> Option<EndCause> {
        let wish = handover?.into_wish();
        let told = self.tell(ToClient::Transfer { to: &wish.to, reason: wish.reason.as_deref() }).await;
        told.is_ok().then_some(EndCause::Transferred)
    }
}

// === impl Framer ===

impl Framer {
    /// Cuts what came into frames; what is left begins the next one.
    fn push(&mut self, audio: &[u8], mut take: impl FnMut(LawFrame) -> bool) {
        self.partial.extend_from_slice(audio);
        let (frames, rest) = self.partial.as_chunks::<FRAME_SAMPLES>();
        for frame in frames {
            // A shard so far behind that there is no room loses some of it.
            take(*frame);
        }
        let rest = rest.len();
        self.partial.drain(..self.partial.len() - rest);
    }
}

/// Audio that waits before a flush would only be dropped by the client.
fn forget_flushed(waiting: &mut Vec<ToCaller>) {
    let Some(flush) = waiting.iter().rposition(|next| *next == ToCaller::Cue(Cue::Flush)) else { return };
    let mut at = 0;
    waiting.retain(|next| {
        at += 1;
        at > flush || matches!(next, ToCaller::Cue(_))
    });
}

fn setup(node: &Node, call_id: String, start: Start, admitted: Admitted) -> CallSetup {
    let mut variables = Variables::of_call(&start.from, &start.to, &start.variables);
    for (name, value) in start.variables.iter().rev() {
        variables.set(name, value);
    }
    let mut agent = variables.fill_in(&admitted.agent);
    if !start.transfers && !agent.transfer_to.is_empty() {
        Arc::make_mut(&mut agent).transfer_to.clear();
    }
    CallSetup {
        call_id,
        started_at_ms: unix_ms(),
        facts: CallFacts {
            direction: Direction::Inbound,
            from: start.from,
            to: start.to,
            sip_call_id: String::new(),
            node: node.config.node_name.clone(),
            headers: start.variables,
            tenant: admitted.tenant,
            identity: None,
        },
        media: MediaSetup::Frames { law: Law::Mu },
        agent,
        limits: node.speech_limits,
        // Whose line it is knows what it costs.
        minute_microcredits: 0,
    }
}

fn unstarted(setup: &CallSetup) -> Unstarted {
    Unstarted {
        call_id: setup.call_id.clone(),
        asked_at_ms: setup.started_at_ms,
        agent: setup.agent.name.clone(),
        facts: setup.facts.clone(),
    }
}

/// Files of an earlier call are not to be written over.
async fn was_recorded(node: &Arc<Node>, call_id: &str) -> bool {
    let (dir, call_id) = (recordings::dir(&node.config), call_id.to_owned());
    tokio::task::spawn_blocking(move || archive::was_recorded(&dir, &call_id)).await.unwrap_or(true)
}

#[cfg(test)]
mod tests;
