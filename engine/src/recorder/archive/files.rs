//! The files of one recording, by name, and which recordings a directory holds.
//! What is in them is `wav`'s, `ogg_opus`'s and `marker`'s.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::marker::Marker;
use crate::recorder::{RecorderError, is_file_name};

/// Names the files of one call.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) call_id: String,
    /// As the recorder left it.
    pub(super) wav: PathBuf,
    /// As the edge gets it.
    pub(super) ogg: PathBuf,
    /// What the `.ogg` is and whether the edge has it.
    pub(super) marker: PathBuf,
}

// === impl Files ===

impl Files {
    pub(super) fn of(dir: &Path, call_id: &str) -> Self {
        let stem = dir.join(call_id);
        Self {
            call_id: call_id.to_owned(),
            wav: stem.with_extension("wav"),
            ogg: stem.with_extension("ogg"),
            marker: stem.with_extension("upload.json"),
        }
    }
}

/// Call ids of the recordings in `dir`, ascending. Those that still have a journal are the recorder's. To be looked
/// for before the recorder starts: what it finishes itself, it tells.
///
/// # Errors
/// [`RecorderError::Directory`]; a directory that is not there is empty.
pub fn left_over(dir: &Path) -> Result<Vec<String>, RecorderError> {
    let failed = |source| RecorderError::Directory { path: dir.to_owned(), source };
    let (mut recordings, mut journals) = (BTreeSet::new(), BTreeSet::new());
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let Some((call_id, extension)) = name.to_str().and_then(|name| name.split_once('.')) else { continue };
        let set = match extension {
            "wav" | "ogg" => &mut recordings,
            "journal" => &mut journals,
            _ => continue,
        };
        if is_file_name(call_id) {
            set.insert(call_id.to_owned());
        }
    }
    Ok(recordings.difference(&journals).cloned().collect())
}

/// Whether there is any file of a recording of this call, whatever became of it.
pub fn was_recorded(dir: &Path, call_id: &str) -> bool {
    let Files { wav, ogg, marker, .. } = Files::of(dir, call_id);
    let journal = wav.with_extension("journal");
    // One that cannot be looked for may be there.
    [wav, journal, ogg, marker].iter().any(|file| file.try_exists().unwrap_or(true))
}

/// A recording of which only the compressed copy is left: where it is, how long it is, ms, and its size, bytes.
pub fn compressed_copy(dir: &Path, call_id: &str) -> Option<(PathBuf, u64, u64)> {
    let files = Files::of(dir, call_id);
    let marker = Marker::read(&files.marker).ok()??;
    files.ogg.is_file().then_some((files.ogg, marker.duration_ms, marker.bytes))
}
