//! Reads the spool ahead of delivery and finds out which call each line belongs to.
//! Sending is not done here; a reader whose lines nobody takes waits.

use std::time::Duration;

use edge_protocol::CallEvent;
use tokio::sync::{mpsc, watch};

use crate::control::spool::{Follower, Line, Position, SpoolEnd};

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;
/// Pause before a disk that cannot be read is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// One line of the spool.
#[derive(Debug)]
pub struct Fact {
    pub line: Line,
    /// Call and number of the event, or why the line is none.
    pub event: Result<(String, u64), String>,
}

/// Passes on everything from the follower's place, as it comes, until the spool is closed or nobody listens.
pub async fn read_on(mut follower: Follower, mut end: watch::Receiver<SpoolEnd>, facts: mpsc::Sender<Vec<Fact>>) {
    loop {
        let closed = end.has_changed().is_err();
        let position = end.borrow_and_update().position;
        let read = tokio::task::spawn_blocking(move || {
            let facts = read(&mut follower, position);
            (follower, facts)
        });
        let Ok((same, read)) = read.await else {
            tracing::error!("the reader of the event spool panicked: events are not delivered until the next start");
            return;
        };
        follower = same;
        match read {
            Ok(read) if !read.is_empty() => {
                if facts.send(read).await.is_err() {
                    return;
                }
            }
            Ok(_) if closed => return,
            Ok(_) => {
                tokio::select! { _ = end.changed() => {}, () = facts.closed() => return }
            }
            Err(error) => {
                tracing::error!(%error, "events cannot be read for delivery");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Lines between the follower's place and `end`.
pub fn count(follower: &mut Follower, end: Position) -> u64 {
    let mut lines = 0;
    loop {
        match follower.read(end, CHUNK) {
            Ok(read) if !read.is_empty() => lines += read.len() as u64,
            // What cannot be read now is told when it is to be delivered.
            Ok(_) | Err(_) => return lines,
        }
    }
}

fn read(follower: &mut Follower, end: Position) -> Result<Vec<Fact>, crate::control::SpoolError> {
    let lines = follower.read(end, CHUNK)?;
    Ok(lines.into_iter().map(|line| Fact { event: event_of(&line), line }).collect())
}

fn event_of(line: &Line) -> Result<(String, u64), String> {
    let event: CallEvent = serde_json::from_slice(&line.bytes).map_err(|error| error.to_string())?;
    Ok((event.call_id, event.seq))
}
