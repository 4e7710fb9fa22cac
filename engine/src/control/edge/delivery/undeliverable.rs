//! Events the edge will never take, with its reason, in a file of their own: out of the way, but not lost.
//! Whether an event is one of them is decided in `delivery`.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use serde::Serialize;

const FILE: &str = "undeliverable.jsonl";

/// One line of the file.
#[derive(Serialize)]
struct Line<'a> {
    /// Why it was not delivered.
    error: &'a str,
    /// The event's line as the spool has it.
    event: &'a str,
}

/// Appends `events` and syncs. What an attempt that failed has left is taken back, or at least stays a line of its own.
pub fn keep(dir: &Path, events: &[Bytes], error: &str) -> io::Result<()> {
    let mut lines = Vec::new();
    for event in events {
        let event = &String::from_utf8_lossy(event);
        serde_json::to_writer(&mut lines, &Line { error, event })?;
        lines.push(b'\n');
    }
    let mut file = File::options().create(true).read(true).append(true).open(dir.join(FILE))?;
    let before = file.metadata()?.len();
    if before > 0 && !ends_a_line(&file, before)? {
        lines.insert(0, b'\n');
    }
    file.write_all(&lines).and_then(|()| file.sync_all()).inspect_err(|_| {
        // Best effort: the error that matters is the one returned.
        let _ = file.set_len(before);
    })
}

fn ends_a_line(file: &File, bytes: u64) -> io::Result<bool> {
    let mut last = [0];
    file.read_exact_at(&mut last, bytes - 1)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests;
