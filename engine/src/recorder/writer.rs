//! The thread between the shards' rings and the journals, and the one that makes the disk keep them.
//! It owns every open journal; nothing here decodes audio.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::finalise::Job;
use super::journal::JournalWriter;
use super::tap::BlockPool;
use super::{RecordBlock, RecorderCounters, RecorderError, RecordingEvent, RecordingId, RecordingMeta, spawn};

/// How often the rings are looked at while something is recorded. Shards never wake this thread: that would cost
/// them a system call.
const POLL: Duration = Duration::from_millis(10);
/// Most files made or closed between two looks at the rings: each may wait for the disk.
const COMMANDS_PER_LOOK: usize = 32;
/// How long written blocks may wait for the disk's confirmation: what a power failure can take.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

pub(super) enum Command {
    Open(RecordingId, RecordingMeta),
    Finish(RecordingId),
    Stop,
}

pub(super) struct Writer {
    dir: PathBuf,
    commands: Receiver<Command>,
    pools: Vec<BlockPool>,
    jobs: Sender<Job>,
    sync: SyncSender<()>,
    events: UnboundedSender<RecordingEvent>,
    counters: Arc<RecorderCounters>,
    open: HashMap<RecordingId, OpenRecording>,
    finished: Vec<RecordingId>,
    stopping: bool,
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
        commands: Receiver<Command>,
        pools: Vec<BlockPool>,
        jobs: Sender<Job>,
        sync: SyncSender<()>,
        events: UnboundedSender<RecordingEvent>,
        counters: Arc<RecorderCounters>,
    ) -> Self {
        Self {
            dir,
            commands,
            pools,
            jobs,
            sync,
            events,
            counters,
            open: HashMap::new(),
            finished: Vec::new(),
            stopping: false,
        }
    }

    /// Runs until told to stop; then every open recording is finished.
    pub(super) fn run(mut self) {
        while !self.stopping {
            self.wait();
            // Whoever asked to finish has seen the last block pushed: so blocks first, then the finishing. What is
            // asked for while blocks are taken waits for the next round.
            let finished = std::mem::take(&mut self.finished);
            self.drain_blocks();
            self.finish_recordings(finished);
        }
        self.drain_blocks();
        let all = self.open.keys().copied().collect();
        self.finish_recordings(all);
    }

    /// Sleeps until the next look at the rings, taking commands as they come.
    fn wait(&mut self) {
        let command = if self.open.is_empty() {
            self.commands.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            self.commands.recv_timeout(POLL)
        };
        match command {
            Ok(command) => self.obey(command),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.stopping = true,
        }
        self.take_commands(COMMANDS_PER_LOOK);
    }

    fn take_commands(&mut self, most: usize) {
        for _ in 0..most {
            let Ok(command) = self.commands.try_recv() else { return };
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open(id, meta) => self.open_recording(id, &meta),
            Command::Finish(id) => self.finished.push(id),
            Command::Stop => self.stopping = true,
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

    fn drain_blocks(&mut self) {
        let mut written = 0;
        let recordings_per_shard = self.open.len().div_ceil(self.pools.len().max(1));
        for index in 0..self.pools.len() {
            while let Some(block) = self.pools.get_mut(index).and_then(BlockPool::pop_full) {
                if !self.open.contains_key(&block.recording) {
                    // Opened, but its turn among the commands has not come yet.
                    self.take_commands(usize::MAX);
                }
                written += u64::from(self.write(&block));
                if let Some(pool) = self.pools.get_mut(index) {
                    pool.give_back(block);
                }
            }
            if let Some(pool) = self.pools.get_mut(index) {
                pool.refill(recordings_per_shard);
            }
        }
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
        let Err(error) = journal.write(block) else { return true };
        self.counters.dropped_by_disk.fetch_add(1, Ordering::Relaxed);
        if !std::mem::replace(&mut recording.failed, true) {
            log_failure(&recording.call_id, &recording.path, &error);
        }
        false
    }

    fn finish_recordings(&mut self, ids: Vec<RecordingId>) {
        for id in ids {
            let Some(OpenRecording { call_id, path, journal, .. }) = self.open.remove(&id) else { continue };
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
