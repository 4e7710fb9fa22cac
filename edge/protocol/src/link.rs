//! The node's link: one WebSocket from each node to the edge, `GET /v1/engine/link?node=…`, JSON text messages.
//! Heartbeats go up, commands come down. Losing the link loses nothing: facts travel by `delivery`.

use serde::{Deserialize, Serialize};

use crate::TransferMode;

/// How often a node reports, ms.
pub const HEARTBEAT_MS: u64 = 5_000;
/// A node not heard of for so long is taken for dead, ms.
pub const DEAD_AFTER_MS: u64 = 15_000;

/// Node to edge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum NodeMessage {
    /// First message, and again every [`HEARTBEAT_MS`].
    Heartbeat(Heartbeat),
    /// What became of a command.
    CommandResult {
        command_id: String,
        /// `None`: done.
        error: Option<String>,
    },
}

/// A node's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Format version, [`crate::VERSION`].
    pub v: u32,
    pub node: String,
    /// Version of the engine, as in its `/health`.
    pub version: String,
    pub status: NodeStatus,
    /// Base URL of the node's HTTP, where the edge reaches `/ws/tandem`.
    pub http_url: String,
    pub active_calls: u32,
    pub max_calls: u32,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Share of slots the media ticker began more than 5 ms late, in the last interval, 0 to 1.
    pub late_slots: f32,
    /// CPU the process used in the last interval, cores.
    pub cpu_cores: f32,
    /// Resident memory, bytes.
    pub memory_bytes: u64,
    /// Events on disk that the edge has not acknowledged.
    pub events_waiting: u64,
    /// Recordings that are not uploaded.
    pub recordings_waiting: u64,
}

/// Whether a node takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeStatus {
    Ok,
    /// Refuses new calls for the moment.
    Busy,
    /// Told to stop; calls may finish.
    Draining,
}

/// Edge to node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeCommand {
    /// Named in the [`NodeMessage::CommandResult`]; a command seen before is not carried out again.
    pub command_id: String,
    #[serde(flatten)]
    pub command: Command,
}

/// What a node can be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// End a call; its cause is `ended_by_edge`.
    HangUp { call_id: String },
    /// Give a call to somebody else, as `POST /v1/calls/{id}/transfer` of the node does.
    Transfer {
        call_id: String,
        /// A number, or a SIP URI.
        to: String,
        mode: TransferMode,
        /// Said to the caller first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        announce: Option<String>,
        /// `attended`: said to the other party first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        consult: Option<String>,
    },
    /// Press keys towards the caller: `0`-`9`, `*`, `#`, `A`-`D`, `,` for a pause.
    Press { call_id: String, digits: String },
    /// Refuse new calls, let the others finish. The process stays.
    Drain,
    /// Take calls again.
    Undrain,
}
