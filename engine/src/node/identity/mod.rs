//! Who vouches for callers' numbers (STIR/SHAKEN): the Identity of each INVITE verified, and what a call deserves for it.
//! The verification itself (RFC 8224) is sip-bridge's work, getting certificates that of `certificates`.

mod certificates;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use edge_protocol::{Attestation, CallerIdentity};
use sip_bridge::identity::{self, IdentityError, IdentityVerifier, RootsError, Vouched};
use sip_bridge::{CallInfo, Rejection};
use thiserror::Error;

use crate::config::{IdentityPolicy, SipIdentityConfig};
use crate::wall_clock::unix_ms;
use certificates::Certificates;

/// Longest `origid` that is kept, characters: a UUID has 36 (RFC 8588 section 5).
const LONGEST_ORIGID: usize = 128;

/// Verifies callers.
pub struct CallerIdentities {
    verifier: IdentityVerifier,
    certificates: Certificates,
    /// A call that nobody vouches for is refused.
    required: bool,
}

/// Why callers cannot be verified.
#[derive(Debug, Error)]
pub enum IdentitySetupError {
    #[error("sip_identity.roots {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("sip_identity.roots {}: {source}", path.display())]
    Roots { path: PathBuf, source: RootsError },
    #[error("sip_identity: no HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

// === impl CallerIdentities ===

impl CallerIdentities {
    /// `None` where nothing is to be verified.
    ///
    /// # Errors
    /// [`IdentitySetupError`] if the authorities' certificates cannot be used.
    pub fn new(config: &SipIdentityConfig) -> Result<Option<Self>, IdentitySetupError> {
        let path = &config.roots;
        if path.as_os_str().is_empty() || config.policy == IdentityPolicy::Off {
            return Ok(None);
        }
        let pem = std::fs::read(path).map_err(|source| IdentitySetupError::Read { path: path.clone(), source })?;
        let verifier =
            IdentityVerifier::new(&pem).map_err(|source| IdentitySetupError::Roots { path: path.clone(), source })?;
        let local = config.local_repositories.iter().map(|range| range.0).collect();
        let required = config.policy == IdentityPolicy::Require;
        Ok(Some(Self { verifier, certificates: Certificates::new(local)?, required }))
    }

    /// What came of verifying a call; it takes as long as its certificate takes to be fetched.
    ///
    /// # Errors
    /// The answer to the INVITE where somebody has to vouch and nobody does (RFC 8224 section 6.2.2).
    pub async fn verify(&self, call: &CallInfo) -> Result<CallerIdentity, Rejection> {
        let verified = self.verifier.verify(call, Duration::from_millis(unix_ms()), &self.certificates).await;
        if let Err(error) = &verified {
            tracing::info!(sip_call_id = call.sip_call_id, from = call.from, %error, "nobody vouches for a caller");
            if self.required {
                return Err(error.into());
            }
        }
        Ok(told(verified))
    }
}

/// The result as the call's record has it.
fn told(verified: Result<Vouched, IdentityError>) -> CallerIdentity {
    match verified {
        Ok(vouched) => CallerIdentity::Passed {
            attestation: vouched.attestation.map(|attestation| match attestation {
                identity::Attestation::Full => Attestation::A,
                identity::Attestation::Partial => Attestation::B,
                identity::Attestation::Gateway => Attestation::C,
            }),
            origid: vouched.origid.map(|origid| origid.chars().take(LONGEST_ORIGID).collect()),
        },
        Err(IdentityError::Missing) => CallerIdentity::Absent,
        Err(error) => CallerIdentity::Failed { code: error.sip_code(), reason: error.to_string() },
    }
}
