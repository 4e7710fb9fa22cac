//! Calls that were admitted and never came to be: the edge is told that they are over, as it holds credits for them.
//! The facts of a call that lives are the call's own.

use edge_protocol::{CallEvent, EndCause, EventKind, MediaQuality, VERSION};

use super::{Node, facts};
use crate::audio::g711::Law;
use crate::call::CallFacts;

/// An admitted call of which no event was made yet.
pub struct Unstarted {
    pub call_id: String,
    /// When it was admitted, milliseconds since the Unix epoch.
    pub asked_at_ms: u64,
    /// Name of the agent that would have answered.
    pub agent: String,
    pub facts: CallFacts,
}

// === impl Unstarted ===

impl Unstarted {
    /// Journals its beginning and its end, unless it was admitted by nobody but this node. The metrics know nothing of
    /// it: there was no call.
    pub async fn tell(self, node: &Node) {
        if self.facts.tenant.is_none() {
            return;
        }
        tracing::info!(call_id = self.call_id, sip_call_id = self.facts.sip_call_id, "an admitted call did not start");
        for event in self.into_events() {
            facts::publish(node, event).await;
        }
    }

    fn into_events(self) -> [CallEvent; 2] {
        let Self { call_id, asked_at_ms, agent, facts } = self;
        let event = |seq, kind| CallEvent {
            v: VERSION,
            call_id: call_id.clone(),
            seq,
            call_started_at_ms: asked_at_ms,
            at_ms: 0,
            kind,
        };
        let ended = EventKind::CallEnded {
            cause: EndCause::SignallingFailed,
            duration_ms: 0,
            turns: 0,
            quality: MediaQuality::default(),
            sip: None,
            wasted_requests: 0,
            usage: Vec::new(),
        };
        // No media were agreed on.
        [event(0, facts.into_started(Law::Mu.into(), agent)), event(1, ended)]
    }
}

#[cfg(test)]
mod tests;
