//! What the node registry can be asked, and what it answers: JSON between the Worker and the object.
//! The rules behind them are `routing`'s and `stats`'.

use edge_protocol::link::Command;
use serde::{Deserialize, Serialize};

/// `command`: for a node, down its link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandQuestion {
    pub node: String,
    pub command: Command,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAnswer {
    pub command_id: String,
}

/// `route`: which node takes a call?
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteQuestion {
    /// Nodes that were tried.
    #[serde(default)]
    pub exclude: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteAnswer {
    pub node: String,
    pub http_url: String,
    pub version: String,
}

/// `drain` and `undrain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainQuestion {
    pub node: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainAnswer {
    pub command_id: String,
    /// The command is on its way; otherwise the node is told when its link is back. It gets no calls from now on.
    pub delivered: bool,
}
