//! How events travel from a node to the edge: `POST /v1/engine/events`, batches in, receipts out.
//! A batch may be sent any number of times; every event is applied once, in the order of its `seq`.

use serde::{Deserialize, Serialize};

use crate::CallEvent;

/// Most events in a batch.
pub const MAX_BATCH_EVENTS: usize = 500;
/// Largest body of a batch, bytes.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// Events of any calls, those of one call in ascending order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventBatch {
    /// Format version, [`crate::VERSION`].
    pub v: u32,
    /// Name of the node that sends.
    pub node: String,
    pub events: Vec<CallEvent>,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchReceipt {
    /// One for each call in the batch.
    pub receipts: Vec<CallReceipt>,
}

/// How far the edge has got with one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallReceipt {
    pub call_id: String,
    /// The number the edge waits for: every event before it is applied and safe.
    pub next_seq: u64,
    /// The call's events could not be taken now (the object was not reachable): send them again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
