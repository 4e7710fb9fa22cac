//! May this call start? Asked by the engine at INVITE, answered by the edge: `POST /v1/engine/admissions`.
//! Asking again with the same `call_id` gives the same answer and holds credits once. The same request to
//! `…/admissions/withdraw` says that its call will never be: nothing is held for it, now or later.

use serde::{Deserialize, Serialize};

use crate::CallerIdentity;
use crate::accounts::AgentSpec;

/// A call that wants in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmissionRequest {
    /// Format version, [`crate::VERSION`].
    pub v: u32,
    /// Tandem's id of the call (UUIDv7).
    pub call_id: String,
    /// SIP `Call-ID` (RFC 3261 section 20.8).
    pub sip_call_id: String,
    /// Name of the node that asks.
    pub node: String,
    /// SIP `From` URI.
    pub from: String,
    /// SIP `To` URI.
    pub to: String,
    /// Request URI of the INVITE: names the dialled number.
    pub request_uri: String,
    /// IP address of the trunk: the carrier's as the front vouches for it (`X-Tandem-Trunk`), else where the
    /// INVITE came from.
    pub trunk: String,
    /// `X-*` headers of the INVITE, in order.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Who vouches for the caller's number; absent where the node does not verify that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<CallerIdentity>,
}

/// The edge's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "made once a call and consumed at once; small enough on wasm32")]
pub enum AdmissionAnswer {
    Accept(Acceptance),
    Refuse {
        /// SIP status code, 400 to 699: 403 unknown number or trunk, 402 no credits, 486 or 503 caps.
        code: u16,
        /// Why, for the SIP reason phrase and the logs.
        reason: RefusalReason,
    },
}

// === impl AdmissionAnswer ===

impl AdmissionAnswer {
    pub fn is_acceptance(&self) -> bool {
        matches!(self, Self::Accept(_))
    }
}

/// A call that may start, with everything the engine needs to run it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acceptance {
    pub account_id: String,
    pub profile_id: String,
    pub agent: AgentSpec,
    /// Longest call, seconds: what the agent allows and the held credits pay for. The agent says goodbye then.
    pub max_call_s: u32,
    /// Record the call.
    pub record: bool,
}

/// Why a call may not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    UnknownNumber,
    AccountSuspended,
    OutsideHours,
    InsufficientCredits,
    AccountCallLimit,
    NodeCallLimit,
    RateLimited,
}

// === impl RefusalReason ===

impl RefusalReason {
    /// SIP status code of the refusal.
    pub fn sip_code(self) -> u16 {
        match self {
            Self::UnknownNumber => 404,
            Self::AccountSuspended => 403,
            Self::OutsideHours => 480,
            Self::InsufficientCredits => 402,
            Self::AccountCallLimit => 486,
            Self::NodeCallLimit | Self::RateLimited => 503,
        }
    }

    /// SIP reason phrase.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::UnknownNumber => "Number not in service",
            Self::AccountSuspended => "Account suspended",
            Self::OutsideHours => "Outside business hours",
            Self::InsufficientCredits => "Insufficient credits",
            Self::AccountCallLimit => "Too many calls for this account",
            Self::NodeCallLimit => "Too many calls for this node",
            Self::RateLimited => "Too many call attempts",
        }
    }
}
