//! The short-lived token a client opens one call's WebSocket with: HS256, five minutes at most, good for one call.
//! Who is given one is `calls`'.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::crypto;

/// Longest life, s.
pub const MAX_LIFE_S: u64 = 300;
/// Longest token read, bytes.
const MAX_TOKEN_BYTES: usize = 2 * 1024;
/// Nobody takes this token for another, or another for this.
const AUDIENCE: &str = "call-session";

/// What a call token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallToken {
    pub call_id: String,
    pub account_id: String,
    /// The person or API key it was given to.
    pub user_id: String,
}

/// Why a call token is refused, or was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CallTokenError {
    #[error("the call token is malformed or not ours")]
    Wrong,
    #[error("the call token has expired")]
    Expired,
    #[error("a call token lives 1 to {MAX_LIFE_S} s")]
    Life,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    call_id: String,
    account_id: String,
    user_id: String,
    /// Seconds since the Unix epoch.
    exp: u64,
}

/// Makes a token that is good for `life_s` seconds from now.
///
/// # Errors
/// [`CallTokenError::Life`] if it would live too long or not at all.
pub fn issue(secret: &[u8], token: &CallToken, now_ms: u64, life_s: u64) -> Result<String, CallTokenError> {
    if !(1..=MAX_LIFE_S).contains(&life_s) {
        return Err(CallTokenError::Life);
    }
    let claims = Claims {
        aud: AUDIENCE.to_owned(),
        call_id: token.call_id.clone(),
        account_id: token.account_id.clone(),
        user_id: token.user_id.clone(),
        exp: now_ms / 1000 + life_s,
    };
    crypto::install();
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret))
        .map_err(|_| CallTokenError::Wrong)
}

/// Checks a token against the secret and the clock.
///
/// # Errors
/// [`CallTokenError`]: what was wrong.
pub fn verify(secret: &[u8], token: &str, now_ms: u64) -> Result<CallToken, CallTokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(CallTokenError::Wrong);
    }
    crypto::install();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_required_spec_claims(&["aud"]);
    validation.set_audience(&[AUDIENCE]);
    // The clock is the caller's.
    validation.validate_exp = false;
    let claims = decode::<Claims>(token, &DecodingKey::from_secret(secret), &validation)
        .map_err(|_| CallTokenError::Wrong)?
        .claims;
    let now_s = now_ms / 1000;
    if claims.exp <= now_s {
        return Err(CallTokenError::Expired);
    }
    if claims.exp - now_s > MAX_LIFE_S {
        return Err(CallTokenError::Wrong);
    }
    Ok(CallToken { call_id: claims.call_id, account_id: claims.account_id, user_id: claims.user_id })
}

#[cfg(test)]
mod tests;
