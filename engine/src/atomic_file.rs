//! A small file that is replaced whole: a reader finds the old or the new one, never a part, also after a crash.
//! What is in it is the caller's.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes beside `path` and takes its place; on disk when it returns.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let replaced = write(&beside, bytes).and_then(|()| fs::rename(&beside, path)).and_then(|()| sync_parent(path));
    if replaced.is_err() {
        // Best effort: the error that matters is the one returned.
        let _ = fs::remove_file(&beside);
    }
    replaced
}

/// `None` if there is no such file.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The new name is in the directory, not in the file.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
