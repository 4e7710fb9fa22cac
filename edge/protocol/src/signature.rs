//! How engine and admin requests are signed: HMAC-SHA256 over `timestamp.body`, and what makes a stamp acceptable.
//! Remembering which signatures were seen is the edge's; where keys come from is the configuration's.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use thiserror::Error;

/// Milliseconds since the Unix epoch, in decimal. A signer never uses the same one twice.
pub const TIMESTAMP_HEADER: &str = "x-tandem-timestamp";
/// `v1=` and 64 digits of lower-case hex.
pub const SIGNATURE_HEADER: &str = "x-tandem-signature";
/// How old a request may be, ms; its signature is remembered so long.
pub const WINDOW_MS: u64 = 5 * 60 * 1000;
/// How far ahead a signer's clock may be, ms.
pub const AHEAD_MS: u64 = 5_000;

/// Why a signed request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    #[error("the request is not signed")]
    Missing,
    #[error("the timestamp or signature is malformed")]
    Malformed,
    #[error("the request is older than five minutes")]
    Expired,
    #[error("the request is dated in the future")]
    Future,
    #[error("the signature is wrong")]
    Wrong,
}

/// The value of [`SIGNATURE_HEADER`]. For a request that has no body (GET, DELETE, a WebSocket upgrade) `body` is the
/// path with its query, so that a signature is good for one thing only.
pub fn sign(secret: &[u8], timestamp_ms: u64, body: &[u8]) -> String {
    let mut signature = "v1=".to_owned();
    for byte in mac(secret, timestamp_ms, body).finalize().into_bytes() {
        signature.push(char::from(HEX[usize::from(byte >> 4)]));
        signature.push(char::from(HEX[usize::from(byte & 15)]));
    }
    signature
}

/// Checks what can be checked before there is a body: that both header values are there and well-formed, and the clock.
///
/// # Errors
/// [`SignatureError`]: the first thing that was wrong; never [`SignatureError::Wrong`].
pub fn precheck(timestamp: Option<&str>, signature: Option<&str>, now_ms: u64) -> Result<(), SignatureError> {
    let (stamp, _) = parse(timestamp, signature)?;
    in_time(stamp, now_ms)
}

/// Checks both header values against the body and the clock. A good signature is not proof against replay.
///
/// # Errors
/// [`SignatureError`]: the first thing that was wrong.
pub fn verify(
    secret: &[u8],
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &[u8],
    now_ms: u64,
) -> Result<(), SignatureError> {
    let (stamp, given) = parse(timestamp, signature)?;
    mac(secret, stamp, body).verify_slice(&given).map_err(|_| SignatureError::Wrong)?;
    in_time(stamp, now_ms)
}

/// The time stamp and the 32 bytes of a signature.
fn parse(timestamp: Option<&str>, signature: Option<&str>) -> Result<(u64, [u8; 32]), SignatureError> {
    let (Some(timestamp), Some(signature)) = (timestamp, signature) else { return Err(SignatureError::Missing) };
    let digits = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let stamp: u64 = if digits { timestamp.parse().ok() } else { None }.ok_or(SignatureError::Malformed)?;
    let given = signature.strip_prefix("v1=").and_then(unhex).ok_or(SignatureError::Malformed)?;
    Ok((stamp, given))
}

fn in_time(stamp: u64, now_ms: u64) -> Result<(), SignatureError> {
    if stamp > now_ms.saturating_add(AHEAD_MS) {
        return Err(SignatureError::Future);
    }
    if now_ms.saturating_sub(stamp) > WINDOW_MS {
        return Err(SignatureError::Expired);
    }
    Ok(())
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn mac(secret: &[u8], timestamp_ms: u64, body: &[u8]) -> Hmac<Sha256> {
    // A key of any length is taken: RFC 2104 section 2.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap_or_else(|_| unreachable!("HMAC takes any key"));
    mac.update(timestamp_ms.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// 32 bytes from 64 digits.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
