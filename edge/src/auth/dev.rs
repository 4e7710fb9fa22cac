//! A development issuer, so that people can be played without an identity provider: its tokens and its JWKS.
//! Only ENVIRONMENT=dev has these routes; nothing else trusts this key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};
use worker::Env;

use super::{crypto, settings};
use crate::http::{Answer, ApiError, Call, ok};
use crate::id;

/// PUBLIC, not a secret: everybody who reads this file has it. It signs tokens that only a Worker with
/// ENVIRONMENT=dev accepts. `DEV_JWT_KEY` replaces it. PKCS#8, base64.
const PUBLICLY_KNOWN_DEVELOPMENT_KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgREZ17NF7zNE+KmRQYzCOdDJTFto6wmnT1I6jTHnOooihRANCAAQISLu5eHmyH/ONA4NF/w88mXRC/OTFeUg8OyMnqm5Xi8RgQmc0aj8jXXIn+mM1W561JJ88KU/nmhLPQvRERqDA";
const KEY_ID: &str = "development";
/// How long its sessions last, s.
const LIFE_S: u64 = 12 * 3600;

#[derive(Deserialize)]
struct TokenRequest {
    subject: String,
    email: String,
}

#[derive(Serialize)]
struct TokenAnswer {
    token: String,
    session_id: String,
    expires_at_ms: u64,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    sub: &'a str,
    email: &'a str,
    sid: &'a str,
    iat: u64,
    nbf: u64,
    exp: u64,
}

/// `POST /dev/token`: a session of anybody.
pub fn token(call: &Call) -> Answer {
    let request: TokenRequest = call.json()?;
    if request.subject.is_empty() || request.subject.len() > 200 || request.email.len() > 200 {
        return Err(ApiError::bad_request("subject has 1 to 200 bytes, email at most 200"));
    }
    let issuer = settings::text(&call.env, "JWT_ISSUER").unwrap_or_default();
    let audience = settings::text(&call.env, "JWT_AUDIENCE");
    let session_id = id::random("ses");
    let now_s = call.now_ms / 1000;
    let claims = Claims {
        iss: &issuer,
        aud: audience.as_deref(),
        sub: &request.subject,
        email: &request.email,
        sid: &session_id,
        iat: now_s,
        nbf: now_s,
        exp: now_s + LIFE_S,
    };
    let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::ES256) };
    let token = encode(&header, &claims, &signing_key(&call.env)?)
        .map_err(|error| ApiError::internal(format!("DEV_JWT_KEY does not sign: {error}")))?;
    ok(&TokenAnswer { token, session_id, expires_at_ms: (now_s + LIFE_S) * 1000 })
}

/// `GET /dev/jwks.json`.
pub fn jwks(call: &Call) -> Answer {
    ok(&serde_json::json!({ "keys": [public_key(&call.env)?] }))
}

/// Its public key, for the Worker that is its own issuer.
///
/// # Errors
/// If `DEV_JWT_KEY` is no such key.
pub fn public_key(env: &Env) -> Result<Jwk, ApiError> {
    let mut key = Jwk::from_encoding_key(&signing_key(env)?, Algorithm::ES256)
        .map_err(|error| ApiError::internal(format!("DEV_JWT_KEY is no P-256 key: {error}")))?;
    key.common.key_id = Some(KEY_ID.to_owned());
    key.common.public_key_use = Some(PublicKeyUse::Signature);
    Ok(key)
}

/// From PEM or base64.
fn signing_key(env: &Env) -> Result<EncodingKey, ApiError> {
    crypto::install();
    let key = settings::text(env, "DEV_JWT_KEY").unwrap_or_else(|| PUBLICLY_KNOWN_DEVELOPMENT_KEY.to_owned());
    let base64: String =
        key.lines().filter(|line| !line.starts_with("-----")).flat_map(|line| line.trim().chars()).collect();
    let der = STANDARD
        .decode(base64)
        .map_err(|error| ApiError::internal(format!("DEV_JWT_KEY is neither PEM nor base64: {error}")))?;
    Ok(EncodingKey::from_ec_der(&der))
}
