//! The spool's files: `<date>-<n>.jsonl`, their order, and the half line a dead writer may leave at the end of one.
//! What a line says is not looked at here.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use time::Date;
use time::macros::format_description;

use super::SpoolError;

/// One file's place in the order. Names sort the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentId {
    /// UTC day on which the file was begun.
    pub(super) date: Date,
    /// Counts from 1 within the day.
    pub(super) number: u32,
}

// === impl SegmentId ===

impl SegmentId {
    pub(super) fn path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{self}.jsonl"))
    }

    /// The file that follows on `today`. A clock that went back must not make it sort before its predecessor.
    pub(super) fn following(previous: Option<Self>, today: Date) -> Self {
        match previous {
            Some(previous) if previous.date >= today => Self { date: previous.date, number: previous.number + 1 },
            _ => Self { date: today, number: 1 },
        }
    }

    /// Reads what `Display` writes.
    pub fn parse(name: &str) -> Option<Self> {
        let (date, number) = name.rsplit_once('-')?;
        let date = Date::parse(date, format_description!("[year]-[month]-[day]")).ok()?;
        Some(Self { date, number: number.parse().ok()? })
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = (self.date.year(), u8::from(self.date.month()), self.date.day());
        write!(f, "{year:04}-{month:02}-{day:02}-{:04}", self.number)
    }
}

/// Deletes the segments before `first_kept` that were begun before the day `since`.
pub(super) fn remove_old(dir: &Path, first_kept: SegmentId, since: Date) -> Result<(), SpoolError> {
    for segment in segments(dir)?.into_iter().filter(|segment| *segment < first_kept && segment.date < since) {
        let path = segment.path(dir);
        fs::remove_file(&path).map_err(|source| SpoolError::File { path: path.clone(), source })?;
        tracing::info!(file = %path.display(), "deleted old events");
    }
    Ok(())
}

/// All segments in `dir`, oldest first; other files are left alone.
pub fn segments(dir: &Path) -> Result<Vec<SegmentId>, SpoolError> {
    let failed = |source| SpoolError::Directory { path: dir.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        found.extend(name.to_str().and_then(|name| name.strip_suffix(".jsonl")).and_then(SegmentId::parse));
    }
    found.sort_unstable();
    Ok(found)
}

/// Cuts the newest segment after its last whole line. Only the newest can be torn: older ones were closed in order.
pub(super) fn cut_torn_tail(dir: &Path) -> Result<(), SpoolError> {
    let Some(path) = segments(dir)?.last().map(|newest| newest.path(dir)) else { return Ok(()) };
    let failed = |source: io::Error| SpoolError::File { path: path.clone(), source };
    let bytes = fs::read(&path).map_err(failed)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    if whole < bytes.len() {
        tracing::warn!(file = %path.display(), bytes = bytes.len() - whole, "dropped a torn event");
        let file = File::options().write(true).open(&path).map_err(failed)?;
        file.set_len(whole as u64).and_then(|()| file.sync_all()).map_err(failed)?;
    }
    Ok(())
}
