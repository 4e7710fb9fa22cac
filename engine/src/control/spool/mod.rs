//! Facts on disk before they travel: every event is a line in a file, synced, and only then told to live readers.
//! Delivery to the edge is not done here; it reads what this writes.

mod follow;
mod replay;
mod segment;
mod writer;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use edge_protocol::CallEvent;
use thiserror::Error;
use time::{Date, OffsetDateTime};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::PublishError;
use crate::dir_lock::{self, LockError};

pub use follow::{Follower, Line, Position, SpoolEnd};
pub use replay::{CallTail, Events, replay};
pub use segment::{SegmentId, segments};

use writer::{Message, Writer};

/// Events that may wait for the disk. At ten events a second from each of 2,000 calls: three seconds of a stuck disk.
const QUEUE: usize = 65_536;
/// Events a slow live reader may lag behind before it has to read from disk.
const LIVE: usize = 8192;

/// Where events go.
#[derive(Debug, Clone)]
pub struct SpoolConfig {
    /// `<data>/events`; made if missing.
    pub dir: PathBuf,
    /// Size at which a new file is begun.
    pub segment_bytes: u64,
}

/// Takes events from anywhere and journals them in order. Dropping it writes what is waiting, which blocks.
pub struct EventSpool {
    queue: Option<mpsc::Sender<Message>>,
    live: broadcast::Sender<Arc<CallEvent>>,
    thread: Option<JoinHandle<()>>,
    dir: PathBuf,
    end: watch::Receiver<SpoolEnd>,
    // Two writers in one directory would cut off each other's tails.
    _lock: File,
}

/// Why events cannot be kept or read.
#[derive(Debug, Error)]
pub enum SpoolError {
    #[error("event directory {}: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("event {0}")]
    Lock(#[from] LockError),
    #[error("event file {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("event file {} line {line}: {source}", path.display())]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
    #[error("cannot start the event spool's thread: {0}")]
    Thread(io::Error),
}

// === impl SpoolConfig ===

impl SpoolConfig {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), segment_bytes: 64 * 1024 * 1024 }
    }
}

// === impl EventSpool ===

impl EventSpool {
    /// Takes the directory, cuts off a line that a dead node left half-written, and starts the writer. Also returns
    /// the calls of the last two days by id, with the sequence number their next event must have.
    pub fn open(config: SpoolConfig) -> Result<(Self, Vec<CallTail>), SpoolError> {
        let lock = dir_lock::lock(&config.dir)?;
        segment::cut_torn_tail(&config.dir)?;
        let tails = replay::recent_calls(&config.dir)?;

        let (queue, messages) = mpsc::channel(QUEUE);
        let (live, _) = broadcast::channel(LIVE);
        let dir = config.dir.clone();
        let writer = Writer::new(config, messages, live.clone())?;
        let end = writer.end();
        let thread = std::thread::Builder::new()
            .name("event-spool".to_owned())
            .spawn(move || writer.run())
            .map_err(SpoolError::Thread)?;
        Ok((Self { queue: Some(queue), live, thread: Some(thread), dir, end, _lock: lock }, tails))
    }

    /// Queues an event. Never blocks: a disk that hangs must not hang calls.
    pub fn publish(&self, event: CallEvent) -> Result<(), PublishError> {
        let queue = self.queue.as_ref().ok_or(PublishError::Closed)?;
        queue.try_send(Message::Event(Arc::new(event))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PublishError::Full,
            mpsc::error::TrySendError::Closed(_) => PublishError::Closed,
        })
    }

    /// Every event from now on, each after it is safe on disk. A reader that lags finds what it missed by [`replay`].
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<CallEvent>> {
        self.live.subscribe()
    }

    /// Resolves when everything published before is on disk.
    pub async fn flush(&self) -> Result<(), PublishError> {
        let queue = self.queue.as_ref().ok_or(PublishError::Closed)?;
        let (done, written) = oneshot::channel();
        queue.send(Message::Flush(done)).await.map_err(|_| PublishError::Closed)?;
        written.await.map_err(|_| PublishError::Closed)
    }

    /// How far everything is on disk, from now on; closed when the last event is written.
    pub fn end(&self) -> watch::Receiver<SpoolEnd> {
        self.end.clone()
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Everything on disk, oldest first.
    pub fn replay(&self) -> Result<Events, SpoolError> {
        replay(&self.dir)
    }
}

impl Drop for EventSpool {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the event spool's thread panicked");
        }
    }
}

/// Deletes files before `first_kept` that are older than `days`, and at least two: a restart looks back so far for
/// calls that were cut off.
pub fn remove_old(dir: &Path, first_kept: SegmentId, days: u32) -> Result<(), SpoolError> {
    let age = time::Duration::days(days.max(2).into());
    let since = OffsetDateTime::now_utc().date().checked_sub(age).unwrap_or(Date::MIN);
    segment::remove_old(dir, first_kept, since)
}
