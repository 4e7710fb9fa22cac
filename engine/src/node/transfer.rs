//! A call is given to somebody else: they are called, perhaps spoken with, and bridged; if that fails the agent says so.
//! Calling them is `outbound`'s work, letting both hear each other the shard's.

use std::sync::Arc;
use std::time::Duration;

use edge_protocol::{EndCause, EventKind, SipStatus, TransferMode};
use sip_bridge::{DialogHandle, SipError, TransferProgress};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Node;
use super::orders::TransferOrder;
use super::outbound::{Dial, OutboundLeg, Stage, dial};
use crate::call::{AgentSettings, CallCommand, WhenLeft};
use crate::shard::{BridgeEnd, CallKey, ShardHandle};

/// Longest sentence before a transfer or to the other party; whatever is left of it is cut off.
const LONGEST_SENTENCE: Duration = Duration::from_secs(20);

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

// === impl Transfer ===

impl Transfer {
    pub fn begin(call: Transferred, order: TransferOrder) -> Self {
        Self(tokio::spawn(call.give_to(order)))
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
    async fn give_to(mut self, order: TransferOrder) {
        let (to, mode) = (order.to.clone(), order.mode);
        self.tell(CallCommand::Note(EventKind::TransferStarted { to: to.clone(), mode })).await;
        if let Some(announce) = order.announce.clone() {
            self.tell(CallCommand::Say(announce)).await;
            wait_for_sentence(&mut self.said).await;
        }
        self.tell(CallCommand::StepAside).await;
        let given = match mode {
            TransferMode::Blind => self.refer(order).await,
            TransferMode::Attended | TransferMode::Bridge => self.connect(order).await,
        };
        if let Err(sip) = given {
            tracing::info!(call_id = self.call_id, to, code = sip.code, reason = sip.reason, "a transfer failed");
            self.tell(CallCommand::Note(EventKind::TransferFailed { to, mode, sip })).await;
            self.tell(CallCommand::StepIn { say: Some(self.agent.transfer_failed.clone()) }).await;
        }
    }

    /// Asks the caller's side to call the other party itself, and leaves the call once they have. A side that does not
    /// take REFER is bridged with them.
    async fn refer(&self, order: TransferOrder) -> Result<(), SipStatus> {
        let mut referred = match self.dialog.refer(&order.destination.uri, None).await {
            Ok(referred) => referred,
            Err(SipError::Refused { code, reason, .. }) => {
                tracing::info!(call_id = self.call_id, code, reason, "REFER is refused: bridging instead");
                return self.connect(order).await;
            }
            Err(error) => return Err(unavailable(&error.to_string())),
        };
        loop {
            match referred.next_progress().await {
                TransferProgress::Ringing(_) => {}
                TransferProgress::Failed { code, reason } => return Err(SipStatus { code, reason }),
                // They took it over, and whoever tells nothing more about it has no complaint.
                TransferProgress::Succeeded | TransferProgress::Unreported => break,
            }
        }
        self.node.calls.hang_up(&self.call_id, EndCause::Transferred);
        Ok(())
    }

    /// Calls the other party on the same shard and bridges both.
    async fn connect(&self, order: TransferOrder) -> Result<(), SipStatus> {
        let party =
            AgentSettings { greeting: String::new(), silence_prompts: Vec::new(), ..AgentSettings::clone(&self.agent) };
        let wanted = Dial::party(order.destination, Arc::new(party), self.shard.clone());
        let mut leg = dial(&self.node, wanted).await.map_err(|error| unavailable(&error.to_string()))?;
        self.hear_it_ring(&mut leg).await?;
        if let Some(consult) = order.consult.filter(|_| order.mode == TransferMode::Attended) {
            // What is said to the other party, and by them, is not the caller's to hear.
            self.ring().await;
            self.shard.tell(leg.key(), CallCommand::StepIn { say: Some(consult) }).await;
            wait_for_sentence(leg.said()).await;
        }
        join(&self.shard, BridgeEnd { key: self.key, when_left: order.when_left }, leg).await
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
