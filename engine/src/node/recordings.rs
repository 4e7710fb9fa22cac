//! Where finished recordings go, by the node's settings: kept as they are, compressed, or compressed and uploaded.
//! How that is done is the recorder's archive's.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Config, RecordingFormat};
use crate::control::SignedClient;
use crate::recorder::RecorderError;
use crate::recorder::archive::{Archive, ArchiveConfig, Pace};

/// The recorder's directory.
pub fn dir(config: &Config) -> PathBuf {
    config.data.join("recordings")
}

/// `None` where recordings stay as they are. To be called when the recorder has made the directory its own.
pub fn archive(config: &Config, edge: Option<Arc<SignedClient>>) -> Result<Option<Archive>, RecorderError> {
    if edge.is_none() && config.recording_format == RecordingFormat::Wav {
        return Ok(None);
    }
    let (dir, days) = (dir(config), config.recordings_days);
    Archive::start(ArchiveConfig { dir, edge, days, pace: Pace::default() }).map(Some)
}
