//! The live feed of an account: `GET /v1/live` as a WebSocket, JSON text messages, edge to dashboard only.
//! The first message is a snapshot; everything after it is what changed. A client that lost the socket begins anew.

use serde::{Deserialize, Serialize};

use crate::accounts::Balance;
use crate::{CallEvent, Direction, EndCause, MediaQuality, TurnLatency};

/// Edge to dashboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LiveMessage {
    Snapshot {
        calls: Vec<CallSummary>,
        nodes: Vec<NodeSummary>,
        balance: Option<Balance>,
    },
    /// A fact of a live call, as the engine told it. The last of those that came together has the call as it stands
    /// then.
    Event {
        event: CallEvent,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<Box<CallSummary>>,
    },
    /// A call as it stands, changed by something that is no event of its own.
    Call {
        call: CallSummary,
    },
    Nodes {
        nodes: Vec<NodeSummary>,
    },
    Balance {
        balance: Balance,
    },
}

// === impl LiveMessage ===

impl LiveMessage {
    /// The call this shows as it stands.
    pub fn call(&self) -> Option<&CallSummary> {
        match self {
            Self::Event { call, .. } => call.as_deref(),
            Self::Call { call } => Some(call),
            Self::Snapshot { .. } | Self::Nodes { .. } | Self::Balance { .. } => None,
        }
    }
}

/// A call as lists and the live feed show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallSummary {
    pub call_id: String,
    pub account_id: String,
    pub status: CallStatus,
    pub direction: Direction,
    /// SIP `From` URI.
    pub from: String,
    /// SIP `To` URI.
    pub to: String,
    pub agent: String,
    pub node: String,
    pub codec: String,
    /// Milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// Length so far, or in all.
    pub duration_ms: u64,
    /// Turns completed.
    pub turns: u32,
    /// The last words of either side, cut to 200 characters.
    pub last_text: String,
    /// Median of the turns' latencies, stage by stage; `None` before the first turn.
    pub latency: Option<TurnLatency>,
    pub cause: Option<EndCause>,
    pub quality: Option<MediaQuality>,
    /// Charged for the call once it is settled.
    pub cost_microcredits: Option<i64>,
    /// What speech providers and the line cost for it, by the node's prices, once it is over.
    #[serde(default)]
    pub provider_microcredits: Option<i64>,
    /// The recording is in R2.
    pub recorded: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    Active,
    Ended,
}

/// A node as the registry shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeSummary {
    #[serde(flatten)]
    pub heartbeat: crate::link::Heartbeat,
    /// When it was last heard of, milliseconds since the Unix epoch.
    pub seen_at_ms: u64,
    /// Heard of within [`crate::link::DEAD_AFTER_MS`].
    pub alive: bool,
    /// Its link is open: commands reach it.
    pub linked: bool,
}
