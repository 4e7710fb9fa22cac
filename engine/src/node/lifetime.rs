//! What every call of a node goes through, however its media come: put on the live list, recorded, followed to its end.
//! Who hangs up, and how the other side is told, is the business of whoever holds the call.

use std::sync::Arc;
use std::time::Duration;

use edge_protocol::{Direction, EndCause};
use futures::StreamExt;
use futures::channel::mpsc::Receiver;
use tokio::sync::watch;

use super::orders::{CallState, Order};
use super::{LiveCall, Node};
use crate::call::CallSetup;
use crate::recorder::{RecordingId, RecordingMeta};
use crate::shard::CallNotice;

/// How long a shard may take to bury a call.
const BURIAL: Duration = Duration::from_secs(10);

/// A call on the live list. Dropping it takes the call off the list and finishes its recording, whatever happened.
pub struct Lifetime {
    node: Arc<Node>,
    call_id: String,
    started_at_ms: u64,
    pub recording: Option<RecordingId>,
    /// Somebody outside of the call, such as the edge, wants it ended for this cause.
    pub told_to_end: Receiver<EndCause>,
    /// What the call is ordered to do.
    pub orders: Receiver<Box<Order>>,
}

// === impl Lifetime ===

impl Lifetime {
    /// The call is about to start; `None` if its id is that of a live one.
    pub fn begin(node: &Arc<Node>, setup: &CallSetup, record: bool) -> Option<Self> {
        let (call_id, facts) = (&setup.call_id, &setup.facts);
        let outbound = facts.direction == Direction::Outbound;
        let told = node.calls.add(LiveCall {
            call_id: call_id.clone(),
            direction: facts.direction,
            state: if outbound { CallState::Dialling } else { CallState::Talking },
            from: facts.from.clone(),
            to: facts.to.clone(),
            agent: setup.agent.name.clone(),
            started_at_ms: setup.started_at_ms,
        })?;
        tracing::info!(%call_id, from = %facts.from, sip_call_id = %facts.sip_call_id, "call started");
        let recording = record.then(|| open_recording(node, setup)).flatten();
        let (call_id, started_at_ms) = (call_id.clone(), setup.started_at_ms);
        let (told_to_end, orders) = (told.to_end, told.orders);
        Some(Self { node: node.clone(), call_id, started_at_ms, recording, told_to_end, orders })
    }

    /// The shard was told to end the call: waits until it has let go of it.
    pub async fn over(self, cause: EndCause, notices: Receiver<CallNotice>) {
        tracing::info!(call_id = %self.call_id, ?cause, "call ended");
        if let Some(next_seq) = buried(notices).await
            && self.recording.is_some()
        {
            self.node.calls.expect_recording(&self.call_id, self.started_at_ms, next_seq);
        }
    }
}

impl Drop for Lifetime {
    fn drop(&mut self) {
        self.node.calls.remove(&self.call_id);
        if let Some(id) = self.recording
            && let Err(error) = self.node.recorder.finish(id)
        {
            tracing::error!(call_id = %self.call_id, %error, "the recording was not finished");
        }
    }
}

/// Resolves when the node's calls are to end.
pub async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    // A node that is gone has no calls to follow either.
    let _ = stop.wait_for(|stopped| *stopped).await;
}

fn open_recording(node: &Node, setup: &CallSetup) -> Option<RecordingId> {
    let meta = RecordingMeta {
        call_id: setup.call_id.clone(),
        started_at_ms: setup.started_at_ms,
        from: setup.facts.from.clone(),
        to: setup.facts.to.clone(),
    };
    node.recorder.open(meta).inspect_err(|error| tracing::error!(%error, "the call is not recorded")).ok()
}

/// Waits until the shard has let go of the call; its next event's number.
async fn buried(mut notices: Receiver<CallNotice>) -> Option<u64> {
    let gone = async {
        loop {
            match notices.next().await? {
                CallNotice::Gone { next_seq } => return Some(next_seq),
                CallNotice::HangUp(_) | CallNotice::Transfer(_) | CallNotice::Said | CallNotice::Press(_) => {}
            }
        }
    };
    tokio::time::timeout(BURIAL, gone).await.ok().flatten()
}
