//! Who vouches for a caller's number (STIR/SHAKEN): what came of verifying the Identity of an INVITE (RFC 8224).
//! The node verifies; what a call is worth that nobody vouches for is decided by whoever reads this.

use serde::{Deserialize, Serialize};

/// The result of a verification, named as carriers name it in `verstat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verstat", rename_all = "snake_case")]
pub enum CallerIdentity {
    /// Somebody trusted vouches for the number.
    Passed {
        /// Absent where the number is vouched for by other means than SHAKEN.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attestation: Option<Attestation>,
        /// Names the call's origin to whoever signed it (RFC 8588 section 5).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origid: Option<String>,
    },
    /// There is an Identity, and it does not hold.
    Failed {
        /// SIP code the call could be refused with: 403, 436, 437, 438 (RFC 8224 section 6.2.2).
        code: u16,
        /// Why, in words.
        reason: String,
    },
    /// The call carries no Identity.
    Absent,
}

/// How much the signing carrier knows about its caller (RFC 8588 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Attestation {
    /// It knows the customer, who may use the number.
    A,
    /// It knows the customer, not whether the number is theirs.
    B,
    /// It only passes the call on.
    C,
}

// === impl Attestation ===

impl Attestation {
    /// The letter carriers write.
    pub fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}
