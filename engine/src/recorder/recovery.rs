//! What a node that died left in the recordings directory.
//! Finding only; turning a journal into a file is the same work as after a call.

use std::fs;
use std::path::{Path, PathBuf};

use super::RecorderError;

/// Every journal in `dir`, oldest name first; half-written files of a dead node are removed.
pub(super) fn left_over_journals(dir: &Path) -> Result<Vec<PathBuf>, RecorderError> {
    let failed = |source| RecorderError::Directory { path: dir.to_owned(), source };
    let mut journals = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("journal") => journals.push(path),
            Some("part") => fs::remove_file(&path).map_err(|source| RecorderError::Write { path, source })?,
            _ => {}
        }
    }
    journals.sort();
    Ok(journals)
}
