//! What becomes of a recording after its call: compressed at low priority, uploaded to the edge, deleted in its time.
//! How a recording comes to be is the recorder's; what a compressed one looks like is `ogg_opus`'s.
//!
//! Files of a call, in the order they come: `.wav`; `.ogg`; `.upload.json`, which says what the `.ogg` is and whether
//! the edge has it. Only once it has is the `.wav` removed (without an edge: once the other two are on disk), so that
//! dying at any moment means doing a step again.

mod compressor;
mod files;
mod marker;
mod retention;
mod uploader;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use files::{compressed_copy, left_over, was_recorded};

use super::{RecorderError, spawn};
use crate::control::SignedClient;
use compressor::{Compressor, Job};
use uploader::Uploads;

/// Most recordings on their way to the edge at once: calls need the line more.
const UPLOADS_AT_ONCE: usize = 2;

/// Where recordings are and what is to be done with them.
#[derive(Debug, Clone)]
pub struct ArchiveConfig {
    /// The recorder's directory.
    pub dir: PathBuf,
    /// Where recordings go. Without it they are compressed and stay.
    pub edge: Option<Arc<SignedClient>>,
    /// How long a local copy stays once the edge has the recording, days; 0: for ever.
    pub days: u32,
    pub pace: Pace,
}

/// How uploads are cut and repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Size of every part but the last.
    pub part_bytes: u64,
    /// Pause after a first failure, doubled with each that follows. Chance adds as much again at most, so that nodes
    /// that lost the edge together do not come back together.
    pub first_pause: Duration,
    /// What doubling ends at.
    pub longest_pause: Duration,
    /// How long a disk that could not be written to is left alone.
    pub disk_rest: Duration,
    /// How long an edge that does not know the call is believed not to have heard of it yet.
    pub unknown_call: Duration,
}

/// Owns the thread and the tasks; dropping it stops them where they are. The next start goes on from there.
pub struct Archive {
    handle: ArchiveHandle,
    thread: Option<JoinHandle<()>>,
    /// Aborted when dropped.
    _uploads: JoinSet<()>,
}

/// Hands recordings over and says how many wait; never blocks.
#[derive(Debug, Clone)]
pub struct ArchiveHandle {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
}

/// Running totals for the metrics page.
#[derive(Debug, Default)]
pub struct ArchiveCounters {
    pub compressed: AtomicU64,
    /// Recordings the edge has, whole.
    pub uploaded: AtomicU64,
    /// Recordings given up until the next start: unreadable here, or refused by the edge for good.
    pub failed: AtomicU64,
}

/// What the thread and the tasks share.
#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    progress: watch::Sender<Progress>,
    stopping: AtomicBool,
    counters: ArchiveCounters,
}

#[derive(Debug, Default)]
struct Progress {
    /// Call ids of recordings that are not where they belong.
    waiting: HashSet<String>,
    /// The edge gave no answer several times in a row.
    edge_is_away: bool,
}

// === impl Pace ===

impl Default for Pace {
    fn default() -> Self {
        Self {
            part_bytes: edge_protocol::recordings::PART_BYTES,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(30),
            disk_rest: Duration::from_secs(60),
            unknown_call: Duration::from_secs(24 * 3600),
        }
    }
}

// === impl Archive ===

impl Archive {
    /// Starts the thread and the tasks. To be called on the runtime.
    ///
    /// # Errors
    /// [`RecorderError::Thread`].
    pub fn start(config: ArchiveConfig) -> Result<Self, RecorderError> {
        let shared = Arc::new(Shared {
            dir: config.dir,
            progress: watch::Sender::default(),
            stopping: AtomicBool::new(false),
            counters: ArchiveCounters::default(),
        });
        let mut tasks = JoinSet::new();
        let uploads = config.edge.map(|edge| Uploads::new(edge, config.pace, Arc::clone(&shared)));
        for _ in 0..UPLOADS_AT_ONCE {
            if let Some(uploads) = &uploads {
                tasks.spawn(uploads.clone().run());
            }
        }
        let (jobs, job_receiver) = mpsc::channel();
        let compressor =
            Compressor::new(Arc::clone(&shared), job_receiver, uploads, config.days, config.pace.disk_rest);
        let thread = spawn("recorder-ogg", move || compressor.run())?;
        Ok(Self { handle: ArchiveHandle { jobs, shared }, thread: Some(thread), _uploads: tasks })
    }

    pub fn handle(&self) -> ArchiveHandle {
        self.handle.clone()
    }

    /// Ends when no recording waits any more, when the edge is away, or when `patience` is over.
    pub async fn finish(self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.handle.edge_is_away_or_settled()).await;
        let waiting = self.handle.waiting();
        if waiting > 0 {
            tracing::warn!(waiting, "recordings wait for the next start to be compressed or uploaded");
        }
        // It waits for the thread.
        if tokio::task::spawn_blocking(move || drop(self)).await.is_err() {
            tracing::error!("the archive of recordings did not stop cleanly");
        }
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        self.handle.shared.stopping.store(true, Relaxed);
        let _ = self.handle.jobs.send(Job::Stop);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that compresses recordings panicked");
        }
    }
}

// === impl ArchiveHandle ===

impl ArchiveHandle {
    /// Hands over a recording whose WAV is complete. One that is known already is not done twice.
    pub fn take(&self, call_id: &str) {
        self.send(call_id, Job::Fresh);
    }

    /// Hands over what [`left_over`] found; all of it waits until it was looked at, though most may be done.
    pub fn take_up(&self, call_ids: Vec<String>) {
        for call_id in call_ids {
            self.send(&call_id, Job::LeftOver);
        }
    }

    fn send(&self, call_id: &str, job: impl FnOnce(String) -> Job) {
        if self.shared.awaits(call_id) {
            let _ = self.jobs.send(job(call_id.to_owned()));
        }
    }

    /// Recordings that are not uploaded, or not compressed where there is no edge.
    pub fn waiting(&self) -> usize {
        self.shared.progress.borrow().waiting.len()
    }

    /// Returns when no recording waits, at once if none does.
    pub async fn settled(&self) {
        self.until(|progress| progress.waiting.is_empty()).await;
    }

    /// The same, or when the edge gives no answer.
    pub async fn edge_is_away_or_settled(&self) {
        self.until(|progress| progress.waiting.is_empty() || progress.edge_is_away).await;
    }

    async fn until(&self, reached: impl FnMut(&Progress) -> bool) {
        // The sender is in this very value.
        let _ = self.shared.progress.subscribe().wait_for(reached).await;
    }

    pub fn counters(&self) -> &ArchiveCounters {
        &self.shared.counters
    }
}

// === impl Shared ===

impl Shared {
    /// Adds a recording to those that wait; whether it was not there yet.
    fn awaits(&self, call_id: &str) -> bool {
        self.progress.send_if_modified(|progress| progress.waiting.insert(call_id.to_owned()))
    }

    fn awaits_no_more(&self, call_id: &str) {
        self.progress.send_if_modified(|progress| progress.waiting.remove(call_id));
    }

    fn edge_is_away(&self, away: bool) {
        self.progress.send_if_modified(|progress| std::mem::replace(&mut progress.edge_is_away, away) != away);
    }
}

#[cfg(test)]
mod tests;
