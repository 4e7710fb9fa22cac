//! Events read back from disk, oldest first, and what they say about calls that a dead node left open.
//! Reads only; safe while the spool is being written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use edge_protocol::{CallEvent, EventKind};

use super::SpoolError;
use super::segment::{SegmentId, segments};

/// The end of one call's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallTail {
    pub call_id: String,
    /// What the call's next event must carry as `seq`.
    pub next_seq: u64,
    /// `call_started_at_ms` of its events: milliseconds since the Unix epoch.
    pub call_started_at_ms: u64,
    /// `at_ms` of the last one: milliseconds since the call was accepted.
    pub last_at_ms: u64,
    /// Turns completed.
    pub turns: u32,
    /// `CallEnded` is there.
    pub ended: bool,
    /// `RecordingReady` is there.
    pub recorded: bool,
}

/// Iterates over all events in a directory. A line that makes no sense is an `Err` of its own; the next one follows.
/// Half a line at the end of a file is passed over: it was never told to anybody.
pub struct Events {
    dir: PathBuf,
    segments: std::vec::IntoIter<SegmentId>,
    current: Option<Lines>,
}

struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: usize,
    buffer: Vec<u8>,
}

/// Reads every event in `dir` as it stands now.
pub fn replay(dir: &Path) -> Result<Events, SpoolError> {
    Ok(Events { dir: dir.to_owned(), segments: segments(dir)?.into_iter(), current: None })
}

/// Calls of the last two days of files, by id: no call is longer.
pub(super) fn recent_calls(dir: &Path) -> Result<Vec<CallTail>, SpoolError> {
    let mut recent = segments(dir)?;
    if let Some(first_day) = recent.last().map(|newest| newest.date.previous_day().unwrap_or(newest.date)) {
        recent.retain(|segment| segment.date >= first_day);
    }
    let mut tails: BTreeMap<String, CallTail> = BTreeMap::new();
    for event in (Events { dir: dir.to_owned(), segments: recent.into_iter(), current: None }) {
        match event {
            Ok(event) => apply(&mut tails, event),
            // One bad line must not keep the node from starting.
            Err(error @ SpoolError::Line { .. }) => tracing::error!(%error, "skipped an event"),
            Err(error) => return Err(error),
        }
    }
    Ok(tails.into_values().collect())
}

fn apply(tails: &mut BTreeMap<String, CallTail>, event: CallEvent) {
    let tail = tails.entry(event.call_id).or_insert_with_key(|call_id| CallTail {
        call_id: call_id.clone(),
        next_seq: 0,
        call_started_at_ms: event.call_started_at_ms,
        last_at_ms: 0,
        turns: 0,
        ended: false,
        recorded: false,
    });
    tail.next_seq = tail.next_seq.max(event.seq.saturating_add(1));
    tail.last_at_ms = tail.last_at_ms.max(event.at_ms);
    match event.kind {
        EventKind::TurnCompleted { .. } => tail.turns += 1,
        EventKind::CallEnded { .. } => tail.ended = true,
        EventKind::RecordingReady { .. } => tail.recorded = true,
        _ => {}
    }
}

// === impl CallTail ===

impl CallTail {
    /// Nothing is to be added. Of a call that was not recorded at all this is never known.
    pub fn is_finished(&self) -> bool {
        self.ended && self.recorded
    }
}

// === impl Events ===

impl Iterator for Events {
    type Item = Result<CallEvent, SpoolError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(lines) = &mut self.current {
                let item = lines.next();
                if !matches!(item, Some(Ok(_) | Err(SpoolError::Line { .. }))) {
                    // At its end, or unreadable: then it would be so again.
                    self.current = None;
                }
                if item.is_some() {
                    return item;
                }
            }
            let path = self.segments.next()?.path(&self.dir);
            match File::open(&path) {
                Ok(file) => {
                    self.current = Some(Lines { path, reader: BufReader::new(file), line: 0, buffer: Vec::new() });
                }
                Err(source) => return Some(Err(SpoolError::File { path, source })),
            }
        }
    }
}

// === impl Lines ===

impl Lines {
    fn next(&mut self) -> Option<Result<CallEvent, SpoolError>> {
        self.buffer.clear();
        self.line += 1;
        match self.reader.read_until(b'\n', &mut self.buffer) {
            Ok(_) if self.buffer.last() != Some(&b'\n') => None,
            Ok(_) => Some(serde_json::from_slice(&self.buffer).map_err(|source| SpoolError::Line {
                path: self.path.clone(),
                line: self.line,
                source,
            })),
            Err(source) => Some(Err(SpoolError::File { path: self.path.clone(), source })),
        }
    }
}
