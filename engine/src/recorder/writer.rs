//! The thread that writes the journals, and the one that makes the disk keep them.
//! It owns every open journal and may wait for the disk; nothing here decodes audio.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::finalise::Job;
use super::journal::JournalWriter;
use super::{RecordBlock, RecorderCounters, RecorderError, RecordingEvent, RecordingId, RecordingMeta, spawn};

/// How long written blocks may wait for the disk's confirmation: what a power failure can take.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// What there is to be done, in this order.
pub(super) enum Work {
    Open(RecordingId, RecordingMeta),
    Write(ShardBlocks),
    Finish(RecordingId),
}

/// Blocks to be written, and the same once they are, for their shard to fill again.
pub(super) struct ShardBlocks {
    pub(super) shard: usize,
    pub(super) blocks: Vec<Box<RecordBlock>>,
}

pub(super) struct Writer {
    dir: PathBuf,
    work: Receiver<Work>,
    written: Sender<ShardBlocks>,
    jobs: Sender<Job>,
    sync: SyncSender<()>,
    events: UnboundedSender<RecordingEvent>,
    counters: Arc<RecorderCounters>,
    open: HashMap<RecordingId, OpenRecording>,
    /// A block as it is written.
    encoded: Vec<u8>,
}

struct OpenRecording {
    call_id: String,
    path: PathBuf,
    /// Why the file could not be made, if it could not: then blocks are thrown away.
    journal: io::Result<JournalWriter>,
    /// A failed write was logged already.
    failed: bool,
}

/// The thread that calls `syncfs`.
pub(super) struct Syncer {
    pub(super) wake: SyncSender<()>,
    pub(super) thread: JoinHandle<()>,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(
        dir: PathBuf,
        work: Receiver<Work>,
        written: Sender<ShardBlocks>,
        jobs: Sender<Job>,
        sync: SyncSender<()>,
        events: UnboundedSender<RecordingEvent>,
        counters: Arc<RecorderCounters>,
    ) -> Self {
        Self { dir, work, written, jobs, sync, events, counters, open: HashMap::new(), encoded: Vec::new() }
    }

    /// Runs until there is nobody left to ask for more; then every open recording is finished.
    pub(super) fn run(mut self) {
        while let Ok(work) = self.work.recv() {
            match work {
                Work::Open(id, meta) => self.open_recording(id, &meta),
                Work::Write(blocks) => self.write_all(blocks),
                Work::Finish(id) => self.finish(id),
            }
        }
        let open: Vec<_> = self.open.keys().copied().collect();
        for id in open {
            self.finish(id);
        }
    }

    fn open_recording(&mut self, id: RecordingId, meta: &RecordingMeta) {
        let path = self.dir.join(&meta.call_id).with_extension("journal");
        let journal = JournalWriter::create(&path, meta);
        if let Err(error) = &journal {
            log_failure(&meta.call_id, &path, error);
        }
        self.open.insert(id, OpenRecording { call_id: meta.call_id.clone(), path, journal, failed: false });
    }

    fn write_all(&mut self, of_shard: ShardBlocks) {
        let written: u64 = of_shard.blocks.iter().map(|block| u64::from(self.write(block))).sum();
        // At the end nobody wants them back.
        let _ = self.written.send(of_shard);
        if written > 0 {
            self.counters.written.fetch_add(written, Ordering::Relaxed);
            // Full means that a wake-up is waiting already.
            let _ = self.sync.try_send(());
        }
    }

    /// Appends a block to its journal; whether it is there.
    fn write(&mut self, block: &RecordBlock) -> bool {
        let Some(recording) = self.open.get_mut(&block.recording) else {
            self.counters.dropped_by_disk.fetch_add(1, Ordering::Relaxed);
            return false;
        };
        let Ok(journal) = &mut recording.journal else {
            self.counters.dropped_by_disk.fetch_add(1, Ordering::Relaxed);
            return false;
        };
        let Err(error) = journal.write(block, &mut self.encoded) else { return true };
        self.counters.dropped_by_disk.fetch_add(1, Ordering::Relaxed);
        if !std::mem::replace(&mut recording.failed, true) {
            log_failure(&recording.call_id, &recording.path, &error);
        }
        false
    }

    fn finish(&mut self, id: RecordingId) {
        let Some(OpenRecording { call_id, path, journal, .. }) = self.open.remove(&id) else { return };
        // Nobody listening is no reason to stop; the finaliser lives as long as this thread.
        let _ = match journal {
            Ok(_) => self.jobs.send(Job::Finish(path)).is_ok(),
            Err(source) => {
                let error = RecorderError::Write { path, source };
                self.events.send(RecordingEvent::Failed { call_id, error }).is_ok()
            }
        };
    }
}

fn log_failure(call_id: &str, path: &Path, error: &io::Error) {
    tracing::error!(call_id, path = %path.display(), %error, "a recording has gaps: its journal cannot be written");
}

// === impl Syncer ===

/// One `syncfs` a second instead of an `fdatasync` per journal: 2,000 of those cost more than the second they are
/// allowed. On a thread of its own, because it may wait for the disk.
pub(super) fn spawn_syncer(dir: &Path) -> Result<Syncer, RecorderError> {
    let handle = File::open(dir).map_err(|source| RecorderError::Directory { path: dir.to_owned(), source })?;
    let path = dir.to_owned();
    let (wake, woken) = mpsc::sync_channel(1);
    let thread = spawn("recorder-sync", move || {
        while let Ok(()) = woken.recv() {
            if let Err(error) = rustix::fs::syncfs(&handle) {
                tracing::error!(dir = %path.display(), %error, "recordings cannot be synced");
            }
            // Parked rather than asleep, so that the recorder can be stopped without waiting for the second to end.
            std::thread::park_timeout(SYNC_INTERVAL);
        }
    })?;
    Ok(Syncer { wake, thread })
}
