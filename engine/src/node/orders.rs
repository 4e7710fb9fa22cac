//! What a live call can be ordered from outside, by the node's API or the edge, and why it is not done.
//! Who carries it out is whoever holds the call.

use edge_protocol::TransferMode;
use serde::Serialize;
use thiserror::Error;
use tokio::sync::oneshot;

use super::trunks::DestinationError;
use crate::call::{CallCommand, WhenLeft};

/// Longest text a call takes, bytes.
pub const MAX_TEXT_BYTES: usize = 4000;

/// How a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Outbound: the INVITE is under way.
    Dialling,
    /// Outbound: they are being alerted.
    Ringing,
    /// With its agent.
    Talking,
    /// A transfer is under way.
    Transferring,
    /// With another call.
    Bridged,
    /// One side holds it.
    Held,
}

/// An order with the place for its outcome.
pub struct Order {
    pub wanted: Wanted,
    pub outcome: oneshot::Sender<Result<(), OrderError>>,
}

/// What is wanted of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// The agent does something, however the call's media come.
    Agent(AgentOrder),
    Transfer(TransferOrder),
    /// Keys are pressed towards the other side, one after the other.
    Press(String),
    /// Puts the other side on hold.
    Hold,
    /// Takes it up again.
    Resume,
    /// Parts it from the call it is bridged to.
    Unbridge,
}

/// What an agent can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentOrder {
    /// It says this at once.
    Say(String),
    /// It is to know this.
    Instruct(String),
}

/// Who a call is given to, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferOrder {
    pub mode: TransferMode,
    /// A number or a SIP URI.
    pub to: String,
    /// The way there, where it is named.
    pub trunk: Option<String>,
    /// Said to the caller first.
    pub announce: Option<String>,
    /// Said to the other party before both are bridged; to the client of a call over a WebSocket it is the reason.
    pub consult: Option<String>,
    /// What becomes of the caller when the other party hangs up.
    pub when_left: WhenLeft,
}

/// Why an order is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OrderError {
    #[error("there is no such call")]
    NoSuchCall,
    #[error("the call is {}, which does not allow it", state_name(*.0))]
    WrongState(CallState),
    #[error("{0}")]
    NotPossible(&'static str),
    #[error("{0}")]
    BadValue(String),
    #[error(transparent)]
    Destination(#[from] DestinationError),
}

// === impl AgentOrder ===

impl From<AgentOrder> for CallCommand {
    fn from(order: AgentOrder) -> Self {
        match order {
            AgentOrder::Say(text) => Self::Say(text),
            AgentOrder::Instruct(text) => Self::Instruct(text),
        }
    }
}

// === impl CallState ===

impl CallState {
    /// Whether a call that stands so can be asked for `wanted`.
    pub fn allows(self, wanted: &Wanted) -> bool {
        match wanted {
            Wanted::Agent(AgentOrder::Instruct(_)) => true,
            Wanted::Agent(AgentOrder::Say(_)) | Wanted::Transfer(_) | Wanted::Hold => self == Self::Talking,
            Wanted::Press(_) => matches!(self, Self::Talking | Self::Bridged),
            Wanted::Resume => self == Self::Held,
            Wanted::Unbridge => self == Self::Bridged,
        }
    }
}

/// The state as it is written in JSON.
fn state_name(state: CallState) -> String {
    serde_json::to_value(state).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_may_be_asked_for_depends_on_how_it_stands() {
        let say = Wanted::Agent(AgentOrder::Say("x".to_owned()));
        for (state, allowed) in [(CallState::Talking, true), (CallState::Bridged, false), (CallState::Ringing, false)] {
            assert_eq!(state.allows(&say), allowed, "{state:?}");
            assert!(state.allows(&Wanted::Agent(AgentOrder::Instruct("x".to_owned()))));
        }
        assert!(CallState::Bridged.allows(&Wanted::Unbridge));
        assert_eq!(
            OrderError::WrongState(CallState::Ringing).to_string(),
            "the call is ringing, which does not allow it"
        );
    }
}
