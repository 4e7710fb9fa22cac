//! Signed links to a recording: whoever has one may listen until it expires.
//! `/recordings/{call_id}?expires=…&signature=…`; the signature is HMAC-SHA256 over both.

use edge_protocol::signature::sign;
use serde::Serialize;
use subtle::ConstantTimeEq;
use thiserror::Error;

/// How long a link is good, ms.
pub const LIFETIME_MS: u64 = 15 * 60 * 1000;

/// A link as it is given out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    pub url: String,
    /// Milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
}

/// Why a link opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LinkError {
    #[error("the link's expiry or signature is missing or malformed")]
    Malformed,
    #[error("the link's signature is wrong")]
    Wrong,
    #[error("the link has expired")]
    Expired,
}

// === impl Link ===

impl Link {
    /// A link that is good from now on.
    pub fn new(public_url: &str, secret: &[u8], call_id: &str, now_ms: u64) -> Self {
        let expires_at_ms = now_ms.saturating_add(LIFETIME_MS);
        let signature = signature(secret, call_id, expires_at_ms);
        let base = public_url.trim_end_matches('/');
        Self {
            url: format!("{base}/recordings/{call_id}?expires={expires_at_ms}&signature={signature}"),
            expires_at_ms,
        }
    }
}

/// Checks the query of a link.
///
/// # Errors
/// [`LinkError`]: the first thing that was wrong.
pub fn check(
    secret: &[u8],
    call_id: &str,
    expires: Option<&str>,
    given: Option<&str>,
    now_ms: u64,
) -> Result<(), LinkError> {
    let (Some(expires), Some(given)) = (expires, given) else { return Err(LinkError::Malformed) };
    let expires_at_ms = expires.parse().map_err(|_| LinkError::Malformed)?;
    // The number is signed, not its spelling: one link, one text.
    if expires != u64::to_string(&expires_at_ms) {
        return Err(LinkError::Malformed);
    }
    let right = signature(secret, call_id, expires_at_ms);
    if !bool::from(right.as_bytes().ct_eq(given.as_bytes())) {
        return Err(LinkError::Wrong);
    }
    if now_ms > expires_at_ms { Err(LinkError::Expired) } else { Ok(()) }
}

/// 64 digits of hex. The text signed is like no other that this secret signs.
fn signature(secret: &[u8], call_id: &str, expires_at_ms: u64) -> String {
    let signed = sign(secret, expires_at_ms, format!("recording-link {call_id}").as_bytes());
    signed.trim_start_matches("v1=").to_owned()
}

#[cfg(test)]
mod tests;
