//! A directory that is one process's own for as long as the lock is held; the kernel lets go of it when the process dies.
//! What is in the directory is its owner's.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a directory cannot be had.
#[derive(Debug, Error)]
pub enum LockError {
    #[error("directory {}: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("directory {} is in use by another node", path.display())]
    InUse { path: PathBuf },
}

/// Makes the directory if it is missing and locks it until the file is dropped.
///
/// # Errors
/// [`LockError`] if it cannot be made, or somebody else has it.
pub fn lock(dir: &Path) -> Result<File, LockError> {
    let failed = |source| LockError::Directory { path: dir.to_owned(), source };
    fs::create_dir_all(dir).map_err(failed)?;
    let lock = File::options().create(true).truncate(false).write(true).open(dir.join(".lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(LockError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
