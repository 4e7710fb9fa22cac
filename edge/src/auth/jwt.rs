//! Which session tokens are good: RS256 or ES256 by a key of the issuer, in time, from the issuer, for us.
//! Where the issuer's keys come from is `jwks`.

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use thiserror::Error;

use super::crypto;

/// Longest token read, bytes. Session tokens are about 1 KiB.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How far the issuer's clock and ours may differ, s.
pub const LEEWAY_S: u64 = 5;
/// Most keys read from one issuer.
pub const MAX_KEYS: usize = 50;
/// RSA moduli read, bytes: 2048 to 4096 bits (RFC 7518 section 3.3 asks for 2048 at least).
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// Why a session token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JwtError {
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    Oversized,
    #[error("the token is malformed")]
    Malformed,
    #[error("the token is not signed with RS256 or ES256")]
    Algorithm,
    #[error("the token names no key")]
    NoKeyId,
    #[error("the issuer has no such key")]
    UnknownKey,
    #[error("the key is not made for this token")]
    UnfitKey,
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token has expired")]
    Expired,
    #[error("the token is dated in the future")]
    Future,
    #[error("the token is from another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token names no session")]
    NoSession,
}

/// Who may have issued a token, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    /// `None`: whatever it says.
    pub audience: Option<&'a str>,
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Claims {
    /// The person, as the issuer names them.
    pub sub: String,
    /// The session; revoked ones are refused elsewhere.
    #[serde(default)]
    pub sid: String,
    #[serde(default)]
    pub email: Option<String>,
    iss: String,
    #[serde(default)]
    aud: Option<Audience>,
    /// Seconds since the Unix epoch, perhaps with a fraction (RFC 7519 section 2, NumericDate).
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    iat: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Which key a token asks for. Nothing about it is proven yet.
///
/// # Errors
/// [`JwtError`] for a token no key can make good.
pub fn key_id(token: &str) -> Result<String, JwtError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(JwtError::Oversized);
    }
    if token.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return Err(JwtError::Malformed);
    }
    // `alg: none` and names that are not known do not parse.
    let header = decode_header(token).map_err(|_| JwtError::Algorithm)?;
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(JwtError::Algorithm);
    }
    header.kid.filter(|kid| !kid.is_empty()).ok_or(JwtError::NoKeyId)
}

/// Checks a token against the key it asked for, the clock, and what is expected.
///
/// # Errors
/// [`JwtError`]: the first thing that was wrong.
pub fn verify(token: &str, keys: &[Jwk], expected: Expected<'_>, now_ms: u64) -> Result<Claims, JwtError> {
    crypto::install();
    let kid = key_id(token)?;
    let key = keys.iter().find(|key| key.common.key_id.as_deref() == Some(&kid)).ok_or(JwtError::UnknownKey)?;
    // The algorithm is the key's, never the token's: an RSA key cannot be taken for an HMAC secret.
    let algorithm = algorithm_of(key)?;
    let decoding = DecodingKey::from_jwk(key).map_err(|_| JwtError::UnfitKey)?;
    let mut validation = Validation::new(algorithm);
    // Times, issuer and audience are checked below, against the caller's clock.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let claims = decode::<Claims>(token, &decoding, &validation).map_err(|error| refusal(&error))?.claims;
    claims.check(expected, now_ms)?;
    Ok(claims)
}

/// The keys of a JWKS document (RFC 7517 section 5). Keys of a kind that is not known are left out.
///
/// # Errors
/// If it is no such document.
pub fn parse_keys(document: &str) -> Result<Vec<Jwk>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<serde_json::Value>,
    }
    let Document { keys } = serde_json::from_str(document)?;
    Ok(keys.into_iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value(key).ok()).collect())
}

fn algorithm_of(key: &Jwk) -> Result<Algorithm, JwtError> {
    if key.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return Err(JwtError::UnfitKey);
    }
    let algorithm = match &key.algorithm {
        AlgorithmParameters::RSA(rsa) if RSA_MODULUS_BYTES.contains(&decoded_length(&rsa.n)) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == jsonwebtoken::jwk::EllipticCurve::P256 => {
            Algorithm::ES256
        }
        _ => return Err(JwtError::UnfitKey),
    };
    match key.common.key_algorithm {
        Some(named) if named != algorithm.into() => Err(JwtError::UnfitKey),
        _ => Ok(algorithm),
    }
}

/// How many bytes unpadded base64 stands for.
fn decoded_length(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}

fn refusal(error: &jsonwebtoken::errors::Error) -> JwtError {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => JwtError::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => JwtError::UnfitKey,
        _ => JwtError::Malformed,
    }
}

// === impl Claims ===

impl Claims {
    /// Until when the token is taken, ms since the Unix epoch.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time out of range is the nearest")]
    pub fn expires_at_ms(&self) -> u64 {
        ((self.exp * 1000.0) as u64).saturating_add(LEEWAY_S * 1000)
    }

    fn check(&self, expected: Expected<'_>, now_ms: u64) -> Result<(), JwtError> {
        #[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit an f64 until the year 287396")]
        let (now_s, leeway_s) = (now_ms as f64 / 1000.0, LEEWAY_S as f64);
        if !self.exp.is_finite() || self.sub.is_empty() {
            return Err(JwtError::Malformed);
        }
        if self.exp <= now_s - leeway_s {
            return Err(JwtError::Expired);
        }
        if [self.nbf, self.iat].into_iter().flatten().any(|from| from > now_s + leeway_s) {
            return Err(JwtError::Future);
        }
        if self.iss != expected.issuer {
            return Err(JwtError::Issuer);
        }
        if let Some(us) = expected.audience {
            let named = match &self.aud {
                None => false,
                Some(Audience::One(one)) => one == us,
                Some(Audience::Many(many)) => many.iter().any(|one| one == us),
            };
            if !named {
                return Err(JwtError::Audience);
            }
        }
        if self.sid.is_empty() { Err(JwtError::NoSession) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
