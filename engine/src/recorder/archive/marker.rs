//! `<call_id>.upload.json`: what a compressed recording is and whether the edge has it.
//! It is written after the `.ogg` is whole on disk, and replaced at once or not at all.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::atomic_file;

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    /// Of the `.ogg`, lower-case hex.
    pub(super) sha256: String,
    /// Of the `.ogg`.
    pub(super) bytes: u64,
    pub(super) duration_ms: u64,
    #[serde(flatten)]
    pub(super) state: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum State {
    /// Compressed; the edge does not have it, or has not said so.
    Compressed,
    /// The edge has it, whole. Milliseconds since the Unix epoch.
    Done { at_ms: u64 },
    /// The edge will never take it as it is. The next start tries again.
    Failed { error: String },
}

// === impl Marker ===

impl Marker {
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done { .. })
    }

    /// `None` if there is none, or none that makes sense: then the recording is compressed again.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        Ok(atomic_file::read(path)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// On disk when it returns.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        atomic_file::replace(path, &serde_json::to_vec(self)?)
    }
}
