//! Local copies of recordings the edge has are deleted when their days are over.
//! Nothing else is ever deleted: what is not uploaded stays, however old. The edge keeps its own calendar.

use std::fs;
use std::io;
use std::path::Path;

use super::files::Files;
use super::marker::{Marker, State};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// Deletes what the edge has had for `days`, 0 being for ever; how many recordings that were. What cannot be read or
/// deleted is told and stays; the others are looked at all the same.
pub(super) fn delete_expired(dir: &Path, days: u32, now_ms: u64) -> io::Result<usize> {
    let mut deleted = 0;
    if days == 0 {
        return Ok(deleted);
    }
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let Some(call_id) = name.to_str().and_then(|name| name.strip_suffix(".upload.json")) else { continue };
        match delete_if_expired(&Files::of(dir, call_id), days, now_ms) {
            Ok(expired) => deleted += usize::from(expired),
            Err(error) => tracing::error!(call_id, %error, "a recording's local copy stays"),
        }
    }
    Ok(deleted)
}

fn delete_if_expired(files: &Files, days: u32, now_ms: u64) -> io::Result<bool> {
    let Some(Marker { state: State::Done { at_ms }, .. }) = Marker::read(&files.marker)? else { return Ok(false) };
    if now_ms < at_ms.saturating_add(u64::from(days) * DAY_MS) {
        return Ok(false);
    }
    // The marker goes last: without it the others would be uploaded once more.
    for file in [&files.wav, &files.ogg, &files.marker] {
        remove_if_there(file)?;
    }
    Ok(true)
}

pub(super) fn remove_if_there(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
