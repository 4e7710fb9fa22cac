//! Two-channel call recording in the media clock: shards hand over blocks, a thread journals them, a WAV follows.
//! What is worth recording and when a call ends is decided elsewhere; no packet is seen here.

pub mod archive;
mod block;
mod finalise;
mod intake;
mod journal;
mod ogg_opus;
mod recovery;
mod tap;
mod wav;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub use block::{BLOCK_SAMPLES, RecordBlock, RecordingId};
pub use journal::{Journal, JournalError, read_journal};
pub use tap::ShardTap;

use crate::dir_lock::{self, LockError};
use finalise::Finaliser;
use intake::{Command, Intake};
use writer::Writer;

/// What is known about a recording when it begins; kept in its journal, so that it survives the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingMeta {
    /// Tandem's id of the call; names the files. Letters, digits, `-` and `_`, at most 64.
    pub call_id: String,
    /// Wall-clock time of the first sample, milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// SIP `From` URI.
    pub from: String,
    /// SIP `To` URI.
    pub to: String,
}

/// A playable file: 2 channels (caller left, agent right), 8 kHz, 16 bit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedRecording {
    pub meta: RecordingMeta,
    pub path: PathBuf,
    pub duration_ms: u64,
    pub bytes: u64,
}

/// What became of a recording: exactly one for each that was finished, and one for each left-over journal.
#[derive(Debug)]
pub enum RecordingEvent {
    /// The call was finished and its file is on disk. What could not be written meanwhile is silence in it.
    Ready(FinishedRecording),
    /// A node died during this call; its file holds everything up to the last journalled block.
    Recovered(FinishedRecording),
    /// There is no file. If there is a journal, the next start tries again.
    Failed { call_id: String, error: RecorderError },
}

/// Why a recording, or all of them, could not be made.
#[derive(Debug, Error)]
pub enum RecorderError {
    #[error("recordings directory {}: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("recordings {0}")]
    Lock(#[from] LockError),
    #[error("{call_id:?} cannot name a recording: only letters, digits, - and _, 1 to 64 of them")]
    BadCallId { call_id: String },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read journal {}: {source}", path.display())]
    Journal { path: PathBuf, source: JournalError },
    #[error("cannot start thread {name}: {source}")]
    Thread { name: &'static str, source: io::Error },
    #[error("the recorder has stopped")]
    Stopped,
}

/// Where recordings live and how much memory may wait for the disk.
#[derive(Debug, Clone)]
pub struct RecorderConfig {
    /// `<data>/recordings`; made if missing.
    pub dir: PathBuf,
    /// Number of [`ShardTap`]s to hand out.
    pub shards: usize,
    /// Most blocks (2 kB each) one shard may hold at once: one per call plus what waits for the disk.
    pub blocks_per_shard: usize,
}

/// Owns the recorder's threads; [`Recorder::stop`] or dropping it writes what is waiting and ends them.
pub struct Recorder {
    handle: RecorderHandle,
    threads: Vec<JoinHandle<()>>,
    // Held for as long as the threads run: a second node must not take live journals for left-overs.
    _lock: File,
}

/// Opens and finishes recordings from anywhere; never blocks.
#[derive(Debug, Clone)]
pub struct RecorderHandle {
    commands: mpsc::Sender<Command>,
    next_id: Arc<AtomicU32>,
    counters: Arc<RecorderCounters>,
}

/// Running totals for the metrics page.
#[derive(Debug, Default)]
pub struct RecorderCounters {
    /// Times a shard wanted an empty block and there was none, or had no room for a full one: silence in a recording.
    pub dropped_by_shards: AtomicU64,
    /// Blocks that reached the recorder but not the disk.
    pub dropped_by_disk: AtomicU64,
    /// Blocks on disk.
    pub written: AtomicU64,
}

// === impl RecorderConfig ===

impl RecorderConfig {
    pub fn new(dir: impl Into<PathBuf>, shards: usize) -> Self {
        Self { dir: dir.into(), shards, blocks_per_shard: 32_768 }
    }
}

// === impl Recorder ===

impl Recorder {
    /// Takes the directory, starts the threads and begins to finalise what a dead node left behind.
    pub fn start(
        config: RecorderConfig,
    ) -> Result<(Self, Vec<ShardTap>, UnboundedReceiver<RecordingEvent>), RecorderError> {
        let lock = dir_lock::lock(&config.dir)?;
        let left_over = recovery::left_over_journals(&config.dir)?;
        let counters = Arc::new(RecorderCounters::default());
        let (events, event_receiver) = unbounded_channel();

        let (taps, pools) =
            (0..config.shards).map(|_| tap::shard_tap(config.blocks_per_shard.max(1), Arc::clone(&counters))).unzip();

        let (jobs, job_receiver) = mpsc::channel();
        for journal in left_over {
            // The receiver lives in this very function: it cannot be gone.
            let _ = jobs.send(finalise::Job::Recover(journal));
        }
        let finaliser = Finaliser { jobs: job_receiver, events: events.clone() };

        let (commands, command_receiver) = mpsc::channel();
        let syncer = writer::spawn_syncer(&config.dir)?;
        let (work, work_receiver) = mpsc::channel();
        let (written, written_receiver) = mpsc::channel();
        let intake = Intake::new(command_receiver, pools, work, written_receiver);
        let counted = Arc::clone(&counters);
        let writer = Writer::new(config.dir, work_receiver, written, jobs, syncer.wake, events, counted);

        let threads = vec![
            spawn("recorder", move || intake.run())?,
            spawn("recorder-disk", move || writer.run())?,
            spawn("recorder-wav", move || finaliser.run())?,
            syncer.thread,
        ];
        let handle = RecorderHandle { commands, next_id: Arc::new(AtomicU32::new(1)), counters };
        Ok((Self { handle, threads, _lock: lock }, taps, event_receiver))
    }

    pub fn handle(&self) -> RecorderHandle {
        self.handle.clone()
    }

    /// Writes what is waiting, turns every open recording into a file, and returns when all is on disk. Blocks.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.handle.commands.send(Command::Stop);
        for thread in self.threads.drain(..) {
            // The syncer may be parked between two syncs.
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("a recorder thread panicked");
            }
        }
    }
}

// === impl RecorderHandle ===

impl RecorderHandle {
    /// Begins a recording. To be called before the call's first block is pushed. That the file could not be
    /// opened is logged, and told by [`RecordingEvent::Failed`] once the recording is finished.
    pub fn open(&self, meta: RecordingMeta) -> Result<RecordingId, RecorderError> {
        if !is_file_name(&meta.call_id) {
            return Err(RecorderError::BadCallId { call_id: meta.call_id });
        }
        let id = RecordingId(self.next_id.fetch_add(1, Ordering::Relaxed));
        self.commands.send(Command::Open(id, meta)).map_err(|_| RecorderError::Stopped)?;
        Ok(id)
    }

    /// Ends a recording: to be called after the shard has pushed the call's last block.
    pub fn finish(&self, id: RecordingId) -> Result<(), RecorderError> {
        self.commands.send(Command::Finish(id)).map_err(|_| RecorderError::Stopped)
    }

    pub fn counters(&self) -> &RecorderCounters {
        &self.counters
    }
}

fn is_file_name(call_id: &str) -> bool {
    (1..=64).contains(&call_id.len()) && call_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn spawn(name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, RecorderError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|source| RecorderError::Thread { name, source })
}
