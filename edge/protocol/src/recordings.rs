//! How a finished recording travels from a node to the edge: begin, parts, complete; each may be repeated.
//! `POST /v1/engine/recordings/{call_id}`, `PUT …/{upload_id}/parts/{n}`, `POST …/{upload_id}/complete`.

use serde::{Deserialize, Serialize};

/// Size of every part but the last, bytes: R2 wants equal parts of 5 MiB at least.
pub const PART_BYTES: u64 = 5 * 1024 * 1024;
/// Largest recording, bytes.
pub const MAX_RECORDING_BYTES: u64 = 512 * 1024 * 1024;

/// Begins an upload, or finds the one begun before: the same `call_id` and `sha256` give the same `upload_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRequest {
    /// Format version, [`crate::VERSION`].
    pub v: u32,
    /// Name of the node that sends.
    pub node: String,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// `audio/ogg`.
    pub content_type: String,
    pub duration_ms: u64,
}

/// Where an upload stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadStatus {
    pub upload_id: String,
    /// Parts the edge has, numbered from 1, ascending. What is not here is to be sent.
    pub parts: Vec<u16>,
    /// The recording is in R2, whole.
    pub complete: bool,
}
