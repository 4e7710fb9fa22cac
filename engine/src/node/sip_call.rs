//! A call whose dialog stands, whoever made it: follows the dialog, the shard and what is ordered until one ends it.
//! How it came to be is `answer`'s and `outbound`'s; the conversation is the call's own.

use std::sync::Arc;

use edge_protocol::{EndCause, EventKind, SipStatus, TransferMode};
use futures::channel::mpsc::{Receiver, Sender, channel};
use futures::{SinkExt, StreamExt};
use sip_bridge::{Dialog, DialogEnd, DialogEvent, DialogHandle, OfferReply, SipError, sdp};
use tokio::sync::{oneshot, watch};

use super::Node;
use super::info_key::{body_of, key_in};
use super::lifetime::{Lifetime, told_to_stop};
use super::media_keys::{MediaKeys, role_of};
use super::media_session::media_session;
use super::orders::{CallState, Order, OrderError, TransferOrder, Wanted};
use super::referral::follow;
use super::transfer::{Transfer, Transferred};
use super::trunks::DestinationError;
use crate::call::{AgentSettings, CallCommand, KeysBy, MediaSession, TransferWish, WhenLeft};
use crate::config::{Config, Dtmf};
use crate::shard::{CallKey, CallNotice, NOTICES, ShardHandle};

/// A call's place on its shard and what was agreed for it.
pub struct CallMedia {
    pub shard: ShardHandle,
    pub key: CallKey,
    pub keys: Arc<MediaKeys>,
    pub local: sdp::Local,
    /// What offer and answer agree on; `None` until there are both.
    pub agreed: Option<sdp::Negotiated>,
    pub dtmf: Dtmf,
    /// The other side takes INFO, as far as is known.
    pub takes_info: bool,
}

/// An answered call.
pub struct SipCall {
    pub node: Arc<Node>,
    pub call_id: String,
    pub agent: Arc<AgentSettings>,
    pub dialog: Dialog,
    pub media: CallMedia,
    /// Counts what the agent was ordered to say and has said.
    pub said: watch::Sender<u32>,
}

/// What came of an offer of ours, and who waits for it.
struct Offered {
    answer: Result<String, SipError>,
    outcome: oneshot::Sender<Result<(), OrderError>>,
}

// === impl CallMedia ===

impl CallMedia {
    /// The session the other side's answer to our offer makes; `None` if it cannot be used.
    pub fn take_answer(&mut self, answer: &str, config: &Config) -> Option<MediaSession> {
        let agreed = sdp::accept_answer(answer, &self.local)
            .inspect_err(|error| tracing::warn!(%error, "the answer to our offer cannot be used"))
            .ok()?;
        self.agree(agreed, config)
    }

    /// The session that is agreed on from now on.
    pub fn agree(&mut self, agreed: sdp::Negotiated, config: &Config) -> Option<MediaSession> {
        let keys = keys_by(self.dtmf, agreed.telephone_event.is_some(), self.takes_info);
        let session = MediaSession { keys, ..media_session(&self.keys, &agreed, config)? };
        self.local.security.role = role_of(&agreed);
        self.agreed = Some(agreed);
        Some(session)
    }

    /// Our answer to a new offer of the other side's, and what it agrees on.
    fn answer(&mut self, offer: &str) -> Result<(sdp::Negotiated, String), sdp::SdpError> {
        let offer = sdp::Offer::parse(offer)?;
        let (agreed, body) = offer.answer(&self.local)?;
        match MediaKeys::renew(&mut self.local.security, self.agreed.as_ref(), &agreed) {
            true => offer.answer(&self.local),
            false => Ok((agreed, body)),
        }
    }
}

// === impl SipCall ===

impl SipCall {
    /// Passes on what either side does until one ends the call.
    pub async fn until_over(&mut self, lifetime: &mut Lifetime, lines: &mut Receiver<CallNotice>) -> EndCause {
        let mut stop = self.node.stop.subscribe();
        let mut our_cause = None;
        let mut transfer = None;
        // Each offer under way has a sender of its own, which has room for its answer.
        let (offered, mut answers) = channel(0);
        let mut keys = None;
        loop {
            let cause = tokio::select! {
                event = self.dialog.next_event() => match event {
                    Some(DialogEvent::Ended { cause }) => return our_cause.unwrap_or(cause_of(&cause)),
                    None => return our_cause.unwrap_or(EndCause::SignallingFailed),
                    Some(event) => {
                        // Seldom, and large.
                        Box::pin(self.on_dialog(event)).await;
                        continue;
                    }
                },
                Some(notice) = lines.next() => match notice {
                    CallNotice::HangUp(cause) => cause,
                    CallNotice::Said => {
                        self.said.send_modify(|said| *said += 1);
                        continue;
                    }
                    CallNotice::Transfer(wish) => {
                        Box::pin(self.put_through(*wish, &mut transfer)).await;
                        continue;
                    }
                    CallNotice::Press(key) => {
                        // More keys than may wait are more than anybody presses.
                        let _ = keys.get_or_insert_with(|| keys_by_info(self.dialog.handle())).try_send(key);
                        continue;
                    }
                    CallNotice::Gone { .. } => continue,
                },
                Some(order) = lifetime.orders.next() => {
                    Box::pin(self.carry_out(*order, &mut transfer, &offered)).await;
                    continue;
                }
                Some(answered) = answers.next() => {
                    Box::pin(self.on_answer(*answered)).await;
                    continue;
                }
                Some(cause) = lifetime.told_to_end.next() => cause,
                () = told_to_stop(&mut stop), if our_cause.is_none() => EndCause::NodeStopped,
            };
            if our_cause.is_none() {
                our_cause = Some(cause);
                self.bye(cause);
            }
        }
    }

    async fn on_dialog(&mut self, event: DialogEvent) {
        match event {
            DialogEvent::Reoffer { offer, reply } => self.reoffered(offer, reply).await,
            DialogEvent::Confirmed { answer: Some(answer) } => {
                if let Some(session) = self.media.take_answer(&answer, &self.node.config) {
                    self.media.shard.change(self.media.key, session).await;
                }
            }
            DialogEvent::Refer { refer_to, reply, .. } => {
                tokio::spawn(follow(self.node.clone(), self.agent.clone(), refer_to, reply));
            }
            DialogEvent::Info { content_type, body } => {
                if let Some(digit) = key_in(&content_type, &body) {
                    self.media.shard.key_pressed(self.media.key, digit).await;
                }
            }
            DialogEvent::Confirmed { answer: None } | DialogEvent::Ended { .. } => {}
        }
    }

    /// Does what was ordered, or begins to: a transfer goes on beside the call.
    async fn carry_out(&mut self, order: Order, transfer: &mut Option<Transfer>, offered: &Sender<Box<Offered>>) {
        let (shard, key) = (&self.media.shard, self.media.key);
        let outcome = match order.wanted {
            Wanted::Agent(order) => {
                shard.tell(key, order.into()).await;
                Ok(())
            }
            Wanted::Press(keys) => shard.send_keys(key, keys).await.map_err(|e| OrderError::BadValue(e.to_string())),
            Wanted::Unbridge => {
                shard.unbridge(key).await;
                Ok(())
            }
            // Done when the other side has answered.
            Wanted::Hold => return self.offer(true, order.outcome, offered.clone()),
            Wanted::Resume => return self.offer(false, order.outcome, offered.clone()),
            Wanted::Transfer(_) if transfer.as_ref().is_some_and(Transfer::is_under_way) => {
                Err(OrderError::WrongState(CallState::Transferring))
            }
            Wanted::Transfer(wanted) => self.begin_transfer(wanted, transfer).map_err(OrderError::from),
        };
        // Whoever ordered it may be gone.
        let _ = order.outcome.send(outcome);
    }

    /// The agent gives the caller to somebody else; if that cannot be, it says so.
    async fn put_through(&self, TransferWish { to, reason }: TransferWish, transfer: &mut Option<Transfer>) {
        if transfer.as_ref().is_some_and(Transfer::is_under_way) {
            return;
        }
        let mode = if reason.is_some() { TransferMode::Attended } else { TransferMode::Bridge };
        let when_left = WhenLeft::HangUp;
        let order = TransferOrder { mode, to: to.clone(), trunk: None, announce: None, consult: reason, when_left };
        if let Err(error) = self.begin_transfer(order, transfer) {
            tracing::warn!(call_id = self.call_id, to, %error, "the agent cannot put a caller through");
            let (shard, key) = (&self.media.shard, self.media.key);
            let sip = SipStatus { code: 404, reason: error.to_string() };
            shard.tell(key, CallCommand::Note(EventKind::TransferFailed { to, mode, sip })).await;
            shard.tell(key, CallCommand::Say(self.agent.transfer_failed.clone())).await;
        }
    }

    fn begin_transfer(&self, order: TransferOrder, transfer: &mut Option<Transfer>) -> Result<(), DestinationError> {
        let destination = self.node.destination(&order.to, None, order.trunk.as_deref())?;
        *transfer = Some(Transfer::begin(self.transferred(), order, destination));
        Ok(())
    }

    /// Offers to hold the call, or to take it up again, and goes on meanwhile.
    fn offer(
        &mut self,
        hold: bool,
        outcome: oneshot::Sender<Result<(), OrderError>>,
        mut offered: Sender<Box<Offered>>,
    ) {
        self.media.local.bump_version();
        let offer = sdp::offer(&self.media.local);
        let offer = if hold { sdp::on_hold(&offer) } else { offer };
        let dialog = self.dialog.handle();
        tokio::spawn(async move {
            let answer = dialog.reinvite(offer).await;
            // A call that is over answers nobody.
            let _ = offered.send(Box::new(Offered { answer, outcome })).await;
        });
    }

    async fn on_answer(&mut self, Offered { answer, outcome }: Offered) {
        let session = answer.map(|answer| self.media.take_answer(&answer, &self.node.config));
        let done = match session {
            Ok(Some(session)) => {
                self.media.shard.change(self.media.key, session).await;
                Ok(())
            }
            Ok(None) => Err(OrderError::NotPossible("the other side's answer cannot be used")),
            Err(error) => {
                tracing::info!(call_id = self.call_id, %error, "an offer of ours came to nothing");
                Err(OrderError::NotPossible("the other side does not agree to it"))
            }
        };
        let _ = outcome.send(done);
    }

    fn transferred(&self) -> Transferred {
        Transferred {
            node: self.node.clone(),
            call_id: self.call_id.clone(),
            shard: self.media.shard.clone(),
            key: self.media.key,
            dialog: self.dialog.handle(),
            agent: self.agent.clone(),
            said: self.said.subscribe(),
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
    async fn reoffered(&mut self, offer: Option<String>, reply: OfferReply) {
        self.media.local.bump_version();
        let Some(offer) = offer else {
            return reply.accept(sdp::offer(&self.media.local)).await;
        };
        match self.media.answer(&offer) {
            Ok((agreed, body)) => {
                reply.accept(body).await;
                if self.media.agreed.as_ref() != Some(&agreed)
                    && let Some(session) = self.media.agree(agreed, &self.node.config)
                {
                    self.media.shard.change(self.media.key, session).await;
                }
            }
            Err(error) => reply.reject(error.into()).await,
        }
    }
}

/// How keys are pressed, of what was agreed on and is allowed.
fn keys_by(dtmf: Dtmf, events: bool, info: bool) -> KeysBy {
    match dtmf {
        Dtmf::Auto if !events && info => KeysBy::Signalling,
        Dtmf::Auto | Dtmf::Rfc4733 => KeysBy::Events,
        Dtmf::Info => KeysBy::Signalling,
        Dtmf::Inband => KeysBy::Tones,
    }
}

/// Sends keys by INFO, the next one when the one before is answered, so that none overtakes another.
fn keys_by_info(dialog: DialogHandle) -> Sender<char> {
    let (keys, mut pressed) = channel(NOTICES);
    tokio::spawn(async move {
        while let Some(key) = pressed.next().await {
            let (content_type, body) = body_of(key);
            if let Err(error) = dialog.info(content_type, body).await {
                tracing::info!(%error, "a key was not taken");
            }
        }
    });
    keys
}

fn cause_of(end: &DialogEnd) -> EndCause {
    match end {
        DialogEnd::RemoteBye => EndCause::CallerHungUp,
        DialogEnd::LocalBye => EndCause::AgentHungUp,
        DialogEnd::AckTimeout | DialogEnd::SessionExpired | DialogEnd::Failed(_) => EndCause::SignallingFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_the_way_that_is_set_or_the_best_there_is() {
        for (dtmf, events, info, expected) in [
            (Dtmf::Auto, true, true, KeysBy::Events),
            (Dtmf::Auto, false, true, KeysBy::Signalling),
            (Dtmf::Auto, false, false, KeysBy::Events),
            (Dtmf::Rfc4733, false, true, KeysBy::Events),
            (Dtmf::Info, true, false, KeysBy::Signalling),
            (Dtmf::Inband, true, true, KeysBy::Tones),
        ] {
            assert_eq!(keys_by(dtmf, events, info), expected, "{dtmf:?} {events} {info}");
        }
    }
}
