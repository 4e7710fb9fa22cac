//! The spool read along while it is being written, from any place, never further than what is safe on disk.
//! What is done with a line, and how far anybody has got, is the reader's business.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use bytes::Bytes;

use super::SpoolError;
use super::segment::{SegmentId, segments};

/// A place between two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub segment: SegmentId,
    /// Bytes from the beginning of the segment.
    pub offset: u64,
}

/// How far the spool is written and synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolEnd {
    pub position: Position,
    /// Events written since the spool was opened.
    pub events: u64,
}

/// One line, without its newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub start: Position,
    pub end: Position,
    pub bytes: Bytes,
}

/// Reads on from where it is.
#[derive(Debug)]
pub struct Follower {
    dir: PathBuf,
    at: Position,
    file: Option<BufReader<File>>,
}

// === impl Follower ===

impl Follower {
    /// Begins at `from`, or at the oldest line there is. A segment that is gone is passed over.
    pub fn new(dir: PathBuf, from: Option<Position>, end: Position) -> Result<Self, SpoolError> {
        let oldest = || -> Result<Position, SpoolError> {
            let segment = segments(&dir)?.first().copied().unwrap_or(end.segment);
            Ok(Position { segment, offset: 0 })
        };
        let at = from.map_or_else(oldest, Ok)?;
        Ok(Self { dir, at, file: None })
    }

    /// The next lines before `end`, until they are `most_bytes` or more. None: everything was read.
    pub fn read(&mut self, end: Position, most_bytes: usize) -> Result<Vec<Line>, SpoolError> {
        let mut lines = Vec::new();
        let mut bytes = 0;
        while bytes < most_bytes && self.at < end {
            match self.next_line() {
                Ok(Some(line)) => {
                    bytes += line.bytes.len();
                    lines.push(line);
                }
                Ok(None) if self.at.segment >= end.segment => break,
                Ok(None) => self.next_segment(end)?,
                Err(source) => {
                    self.file = None;
                    return Err(SpoolError::File { path: self.at.segment.path(&self.dir), source });
                }
            }
        }
        Ok(lines)
    }

    /// None at the end of the segment.
    fn next_line(&mut self) -> io::Result<Option<Line>> {
        let file = match &mut self.file {
            Some(file) => file,
            None => match File::open(self.at.segment.path(&self.dir)) {
                Ok(mut file) => {
                    file.seek(SeekFrom::Start(self.at.offset))?;
                    self.file.insert(BufReader::new(file))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        let mut bytes = Vec::new();
        let read = file.read_until(b'\n', &mut bytes)?;
        if bytes.pop() != Some(b'\n') {
            // What the buffer holds of a line that is not whole yet must be read again.
            self.file = None;
            return Ok(None);
        }
        let start = self.at;
        self.at.offset += read as u64;
        Ok(Some(Line { start, end: self.at, bytes: bytes.into() }))
    }

    fn next_segment(&mut self, end: Position) -> Result<(), SpoolError> {
        let next = segments(&self.dir)?.into_iter().find(|segment| *segment > self.at.segment);
        self.at = Position { segment: next.unwrap_or(end.segment), offset: 0 };
        self.file = None;
        Ok(())
    }
}
