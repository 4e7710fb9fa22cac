//! How far the edge has taken the spool, kept in a file: every event before it is delivered.
//! Events after it may have been delivered too; they are sent again after a restart, which changes nothing.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::atomic_file;
use crate::control::spool::{Position, SegmentId, segments};

const FILE: &str = "delivered.json";
const VERSION: u32 = 1;

/// What the file says.
#[derive(Debug)]
pub struct Cursor {
    saved: Option<Position>,
}

#[derive(Debug, Serialize, Deserialize)]
struct CursorFile {
    v: u32,
    /// Name of the event file, without `.jsonl`.
    segment: String,
    /// Bytes of it that are delivered.
    offset: u64,
}

// === impl Cursor ===

impl Cursor {
    /// Reads it; one that makes no sense is told, and everything on disk is delivered again. Without one this node
    /// had no edge before: events up to `end` are of calls no edge knows, and stay here.
    ///
    /// # Errors
    /// A first cursor that cannot be written: a crash would make it forget what came since.
    pub fn load(dir: &Path, end: Position) -> io::Result<Self> {
        let path = dir.join(FILE);
        match read(&path) {
            Ok(Some(saved)) => Ok(Self { saved: Some(saved) }),
            Ok(None) => {
                if end.offset > 0
                    || segments(dir).map_err(io::Error::other)?.iter().any(|segment| *segment < end.segment)
                {
                    tracing::warn!(file = %path.display(), "there are events from before there was an edge: they are not delivered");
                }
                write(dir, end)?;
                Ok(Self { saved: Some(end) })
            }
            Err(error) => {
                tracing::error!(file = %path.display(), %error, "how far events were delivered is not known: all are sent again");
                Ok(Self { saved: None })
            }
        }
    }

    /// `None`: it is not known.
    pub fn saved(&self) -> Option<Position> {
        self.saved
    }

    /// It is written.
    pub fn is_saved(&mut self, position: Position) {
        self.saved = Some(position);
    }
}

/// Writes it.
pub fn write(dir: &Path, position: Position) -> io::Result<()> {
    let file = CursorFile { v: VERSION, segment: position.segment.to_string(), offset: position.offset };
    atomic_file::replace(&dir.join(FILE), &serde_json::to_vec(&file)?)
}

fn read(path: &Path) -> io::Result<Option<Position>> {
    let Some(bytes) = atomic_file::read(path)? else { return Ok(None) };
    let file: CursorFile = serde_json::from_slice(&bytes)?;
    let segment = SegmentId::parse(&file.segment).filter(|_| file.v == VERSION);
    let segment = segment.ok_or_else(|| io::Error::other(format!("makes no sense: {file:?}")))?;
    Ok(Some(Position { segment, offset: file.offset }))
}
