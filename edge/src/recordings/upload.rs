//! What an upload may be: its parts and their sizes, its id, the object it becomes.
//! Keeping it is `store`'s.

use edge_protocol::recordings::{MAX_RECORDING_BYTES, PART_BYTES, UploadRequest};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::calls::call_id::is_plausible;

/// Why an upload is not begun.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UploadError {
    #[error("the format version {0} is not ours")]
    Version(u32),
    #[error("{0:?} is no call id")]
    CallId(String),
    #[error("a recording has 1 to {MAX_RECORDING_BYTES} bytes, not {0}")]
    Size(u64),
    #[error("{0:?} is no SHA-256 in lower-case hex")]
    Sha256(String),
    #[error("a recording is audio/ogg, not {0:?}")]
    ContentType(String),
}

/// Checks what an upload says of itself.
///
/// # Errors
/// [`UploadError`]: the first thing that was wrong.
pub fn check(request: &UploadRequest, call_id: &str) -> Result<(), UploadError> {
    if request.v != edge_protocol::VERSION {
        return Err(UploadError::Version(request.v));
    }
    // The id becomes part of the object's key.
    if !is_plausible(call_id) {
        return Err(UploadError::CallId(call_id.to_owned()));
    }
    if request.bytes == 0 || request.bytes > MAX_RECORDING_BYTES {
        return Err(UploadError::Size(request.bytes));
    }
    if request.sha256.len() != 64 || !request.sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(UploadError::Sha256(request.sha256.clone()));
    }
    if request.content_type.split(';').next().map(str::trim) != Some("audio/ogg") {
        return Err(UploadError::ContentType(request.content_type.clone()));
    }
    Ok(())
}

/// How many parts a recording has.
pub fn part_count(bytes: u64) -> u16 {
    u16::try_from(bytes.div_ceil(PART_BYTES)).unwrap_or(u16::MAX)
}

/// Size of part `part` (from 1), if there is such a part.
pub fn part_bytes(bytes: u64, part: u16) -> Option<u64> {
    let before = u64::from(part.checked_sub(1)?) * PART_BYTES;
    (before < bytes).then(|| (bytes - before).min(PART_BYTES))
}

/// The same recording of the same call has the same id, whoever asks and however often.
pub fn upload_id(call_id: &str, sha256: &str) -> String {
    let digest = Sha256::digest(format!("{call_id} {sha256}"));
    let mut id = "upl_".to_owned();
    for byte in digest.iter().take(12) {
        id.push_str(&format!("{byte:02x}"));
    }
    id
}

/// `recordings/<account>/<yyyy-mm-dd>/<call>/<upload>.ogg`, the day (UTC) on which the call started. Another content is
/// another object: what is uploaded never lies where an accepted recording is.
pub fn object_key(account_id: &str, started_at_ms: u64, call_id: &str, upload_id: &str) -> String {
    let seconds = i64::try_from(started_at_ms / 1000).unwrap_or(0);
    let day = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH).date();
    let (year, month, day) = (day.year(), u8::from(day.month()), day.day());
    format!("recordings/{account_id}/{year:04}-{month:02}-{day:02}/{call_id}/{upload_id}.ogg")
}

#[cfg(test)]
mod tests;
