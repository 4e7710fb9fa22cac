//! A call is given to somebody else: they are called, perhaps spoken with, and bridged; if that fails the agent says so.
//! Calling them is `outbound`'s work, letting both hear each other the shard's.

use std::sync::Arc;
use std::time::Duration;

use edge_protocol::{EndCause, EventKind, SipStatus, TransferMode};
use sip_bridge::{DialogHandle, Replaces, SipError, TransferProgress};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Node;
use super::orders::TransferOrder;
use super::outbound::{Dial, OutboundLeg, Stage, dial};
use super::trunks::Destination;
use crate::call::{AgentSettings, CallCommand, WhenLeft};
use crate::shard::{BridgeEnd, CallKey, ShardHandle};

/// Longest sentence before a transfer or to the other party; whatever is left of it is cut off.
pub const LONGEST_SENTENCE: Duration = Duration::from_secs(20);

/// A transfer under way; dropping it gives it up.
pub struct Transfer(JoinHandle<()>);

/// The call that is given away.
pub struct Transferred {
    pub node: Arc<Node>,
    pub call_id: String,
    pub shard: ShardHandle,
    pub key: CallKey,
    pub dialog: DialogHandle,
    pub agent: Arc<AgentSettings>,
    /// Counts what its agent was ordered to say and has said.
    pub said: watch::Receiver<u32>,
}

/// The caller's side does not call the other party.
enum NotReferred {
    /// It does not take REFER.
    Refused,
    /// It tried.
    Failed(SipStatus),
}

// === impl Transfer ===

impl Transfer {
    pub fn begin(call: Transferred, order: TransferOrder, to: Destination) -> Self {
        Self(tokio::spawn(call.give_to(order, to)))
    }

    pub fn is_under_way(&self) -> bool {
        !self.0.is_finished()
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

// === impl Transferred ===

impl Transferred {
    async fn give_to(mut self, order: TransferOrder, destination: Destination) {
        let (to, mode) = (order.to.clone(), order.mode);
        self.tell(CallCommand::Note(EventKind::TransferStarted { to: to.clone(), mode })).await;
        if let Some(announce) = order.announce.clone() {
            self.tell(CallCommand::Say(announce)).await;
            wait_for_sentence(&mut self.said).await;
        }
        self.tell(CallCommand::StepAside).await;
        let given = match mode {
            TransferMode::Blind => self.hand_over(order, destination).await,
            TransferMode::Attended | TransferMode::Bridge => self.connect(order, destination).await,
        };
        if let Err(sip) = given {
            tracing::info!(call_id = self.call_id, to, code = sip.code, reason = sip.reason, "a transfer failed");
            self.tell(CallCommand::Note(EventKind::TransferFailed { to, mode, sip })).await;
            self.tell(CallCommand::StepIn { say: Some(self.agent.transfer_failed.clone()) }).await;
        }
    }

    /// Asks the caller's side to call the other party itself, and leaves the call once they have. A side that does not
    /// take REFER is bridged with them.
    async fn hand_over(&self, order: TransferOrder, to: Destination) -> Result<(), SipStatus> {
        match self.refer(&to.uri, None).await {
            Ok(_) => Ok(()),
            Err(NotReferred::Refused) => self.connect(order, to).await,
            Err(NotReferred::Failed(status)) => Err(status),
        }
    }

    /// Sends the caller's side elsewhere, in place of a call of ours if there is one; then the call is over here.
    /// Whether they told that they are there.
    async fn refer(&self, to: &str, replaces: Option<&Replaces>) -> Result<bool, NotReferred> {
        let failed = |code, reason: String| NotReferred::Failed(SipStatus { code, reason });
        let mut referred = self.dialog.refer(to, replaces).await.map_err(|error| match error {
            SipError::Refused { code, reason, .. } => {
                tracing::info!(call_id = self.call_id, code, reason, "REFER is refused: bridging instead");
                NotReferred::Refused
            }
            error => failed(503, error.to_string()),
        })?;
        let told = loop {
            match referred.next_progress().await {
                TransferProgress::Ringing(_) => {}
                TransferProgress::Failed { code, reason } => return Err(failed(code, reason)),
                TransferProgress::Succeeded => break true,
                // They took it over, and whoever tells nothing more about it has no complaint.
                TransferProgress::Unreported => break false,
            }
        };
        self.node.calls.hang_up(&self.call_id, EndCause::Transferred);
        Ok(told)
    }

    /// Calls the other party on the same shard and bridges both.
    async fn connect(&self, order: TransferOrder, to: Destination) -> Result<(), SipStatus> {
        let party =
            AgentSettings { greeting: String::new(), silence_prompts: Vec::new(), ..AgentSettings::clone(&self.agent) };
        let wanted = Dial::party(to.clone(), Arc::new(party), self.shard.clone());
        let mut leg = dial(&self.node, wanted).await.map_err(|error| unavailable(&error.to_string()))?;
        self.hear_it_ring(&mut leg).await?;
        if let Some(consult) = order.consult.filter(|_| order.mode == TransferMode::Attended) {
            // What is said to the other party, and by them, is not the caller's to hear.
            self.ring().await;
            self.shard.tell(leg.key(), CallCommand::StepIn { say: Some(consult) }).await;
            wait_for_sentence(leg.said()).await;
        }
        if order.mode == TransferMode::Attended && self.joined_by_carrier(&to, &mut leg).await {
            return Ok(());
        }
        join(&self.shard, BridgeEnd { key: self.key, when_left: order.when_left }, leg).await
    }

    /// Both legs are the carrier's: it joins them by itself if it takes REFER with Replaces. False: both are still ours.
    async fn joined_by_carrier(&self, to: &Destination, leg: &mut OutboundLeg) -> bool {
        let Some(dialog) = leg.dialog().filter(|_| self.node.trunks.take_replaces(to)) else { return false };
        let replaces = dialog.replaces();
        self.shard.tell(leg.key(), CallCommand::StepAside).await;
        let Ok(told) = self.refer(&to.uri, Some(&replaces)).await else { return false };
        leg.keep();
        // Else the call in its place may still be on its way, and ends it.
        if told {
            leg.hang_up(EndCause::Transferred);
        }
        true
    }

    /// Waits until they answer. Meanwhile the caller hears what their side sends, or else how it rings.
    async fn hear_it_ring(&self, leg: &mut OutboundLeg) -> Result<(), SipStatus> {
        loop {
            match leg.next_stage().await {
                Stage::Dialling => {}
                Stage::Ringing => self.ring().await,
                Stage::Early => {
                    self.ring().await;
                    self.shard.let_hear(leg.key(), Some(self.key)).await;
                }
                Stage::Answered => {
                    self.shard.let_hear(leg.key(), None).await;
                    return Ok(());
                }
                Stage::Gone(status) => return Err(status),
            }
        }
    }

    async fn ring(&self) {
        self.tell(CallCommand::Ring(self.node.config.ringback)).await;
    }

    async fn tell(&self, command: CallCommand) {
        self.shard.tell(self.key, command).await;
    }
}

/// Bridges a call with the party that was called for it, which lives no longer than the call.
///
/// # Errors
/// The party, or the call, was gone.
pub async fn join(shard: &ShardHandle, end: BridgeEnd, mut party: OutboundLeg) -> Result<(), SipStatus> {
    let other = BridgeEnd { key: party.key(), when_left: WhenLeft::HangUp };
    if !shard.bridge([end, other]).await {
        return Err(party.gone().unwrap_or_else(|| unavailable("the other party was gone")));
    }
    party.keep();
    Ok(())
}

async fn wait_for_sentence(said: &mut watch::Receiver<u32>) {
    // A sentence that is not over in time, or whose call is gone, is not waited for.
    let _ = tokio::time::timeout(LONGEST_SENTENCE, said.changed()).await;
}

fn unavailable(reason: &str) -> SipStatus {
    SipStatus { code: 503, reason: reason.to_owned() }
}
