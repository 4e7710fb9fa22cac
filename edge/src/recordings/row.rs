//! A recording as D1 knows it, and how its call hears of it.
//! The bytes are in R2 under `object_key`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use worker::Env;

use crate::http::ApiError;
use crate::objects;

/// A recording that is in R2, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    pub call_id: String,
    pub account_id: String,
    pub object_key: String,
    pub bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
    pub content_type: String,
    pub duration_ms: u64,
    /// Milliseconds since the Unix epoch, as the next two.
    pub stored_at_ms: u64,
    pub delete_after_ms: u64,
    pub announced_at_ms: Option<u64>,
}

/// What `CallSession` is told: verb `recording_stored`.
#[derive(Serialize)]
struct Stored<'a> {
    key: &'a str,
    bytes: u64,
    sha256: &'a str,
    duration_ms: u64,
    content_type: &'a str,
}

// === impl Recording ===

impl Recording {
    /// A strong entity tag: the same tag, the same bytes.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.sha256)
    }
}

/// The recording of a call, if it has one.
///
/// # Errors
/// If the database does not answer.
pub async fn recording(env: &Env, call_id: &str) -> Result<Option<Recording>, ApiError> {
    let statement = env.d1("DB")?.prepare("SELECT * FROM recordings WHERE call_id = ?").bind(&[call_id.into()])?;
    Ok(statement.first(None).await?)
}

/// Tells the call's object that its recording is there. Harmless when repeated.
///
/// # Errors
/// If the object or the database does not answer.
pub async fn announce(env: &Env, recording: &Recording, now_ms: u64) -> Result<(), ApiError> {
    let stored = Stored {
        key: &recording.object_key,
        bytes: recording.bytes,
        sha256: &recording.sha256,
        duration_ms: recording.duration_ms,
        content_type: &recording.content_type,
    };
    objects::ask::<_, Value>(env, "CALL_SESSIONS", &recording.call_id, "recording_stored", &stored).await?;
    announced(env, &recording.call_id, now_ms).await
}

/// Notes that the call's object knows, or that the job that will tell it is queued.
///
/// # Errors
/// If the database does not answer.
pub async fn announced(env: &Env, call_id: &str, now_ms: u64) -> Result<(), ApiError> {
    env.d1("DB")?
        .prepare("UPDATE recordings SET announced_at_ms = ? WHERE call_id = ?")
        .bind(&[(now_ms as f64).into(), call_id.into()])?
        .run()
        .await?;
    Ok(())
}
