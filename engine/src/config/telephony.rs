//! `[telephony]`: what the line costs, beside speech.
//! What a call made of it is told at its end (`call::usage`).

use edge_protocol::Direction;
use serde::{Deserialize, Serialize};

/// Prices of a minute of a call over SIP, from its answer on, in microcredits (a millionth of a credit).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelephonyConfig {
    pub inbound_minute: u64,
    pub outbound_minute: u64,
}

// === impl TelephonyConfig ===

impl TelephonyConfig {
    pub fn minute(&self, direction: Direction) -> u64 {
        match direction {
            Direction::Inbound => self.inbound_minute,
            Direction::Outbound => self.outbound_minute,
        }
    }
}
