//! The thread that compresses finished recordings one by one, when nobody else wants the core.
//! Also the archive's house-keeping; uploads are tasks of their own.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::Shared;
use super::files::Files;
use super::marker::{Marker, State};
use super::retention::{delete_expired, remove_if_there};
use super::uploader::{Upload, Uploads};
use crate::recorder::ogg_opus::{CompressError, compress};
use crate::wall_clock::unix_ms;

/// How often it is looked for local copies whose days are over.
const CLEANUP: Duration = Duration::from_secs(3600);
/// Nice value where the kernel does not know idle scheduling.
const NICE: libc::c_int = 19;

pub(super) enum Job {
    /// A recording of a call that was over just now.
    Fresh(String),
    /// One of an earlier run: its turn comes when no fresh one waits.
    LeftOver(String),
    Stop,
}

pub(super) struct Compressor {
    shared: Arc<Shared>,
    jobs: Receiver<Job>,
    uploads: Option<Uploads>,
    days: u32,
    disk_rest: Duration,
    fresh: VecDeque<String>,
    left_over: VecDeque<String>,
    /// Nothing is compressed before.
    rest_until: Instant,
    next_cleanup: Instant,
}

/// Why a recording is not ready to be uploaded.
#[derive(Debug, Error)]
enum PrepareError {
    #[error(transparent)]
    Compress(#[from] CompressError),
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

// === impl Compressor ===

impl Compressor {
    pub(super) fn new(
        shared: Arc<Shared>,
        jobs: Receiver<Job>,
        uploads: Option<Uploads>,
        days: u32,
        disk_rest: Duration,
    ) -> Self {
        let now = Instant::now();
        let (fresh, left_over) = (VecDeque::new(), VecDeque::new());
        Self { shared, jobs, uploads, days, disk_rest, fresh, left_over, rest_until: now, next_cleanup: now }
    }

    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        step_aside();
        while !self.shared.stopping.load(Relaxed) {
            let is_idle = self.fresh.is_empty() && self.left_over.is_empty();
            let next_recording = if is_idle { self.next_cleanup } else { self.rest_until };
            let next = next_recording.min(self.next_cleanup);
            match self.jobs.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Job::Fresh(call_id)) => self.fresh.push_back(call_id),
                Ok(Job::LeftOver(call_id)) => self.left_over.push_back(call_id),
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => self.work(Instant::now()),
            }
        }
    }

    fn work(&mut self, now: Instant) {
        if now >= self.next_cleanup {
            self.next_cleanup = now + CLEANUP;
            match delete_expired(&self.shared.dir, self.days, unix_ms()) {
                Ok(0) => {}
                Ok(deleted) => tracing::info!(deleted, days = self.days, "local copies of uploaded recordings deleted"),
                Err(error) => tracing::error!(dir = %self.shared.dir.display(), %error, "old recordings stay"),
            }
        }
        if now >= self.rest_until
            && let Some(call_id) = self.fresh.pop_front().or_else(|| self.left_over.pop_front())
        {
            self.process(call_id, now);
        }
    }

    fn process(&mut self, call_id: String, now: Instant) {
        let files = Files::of(&self.shared.dir, &call_id);
        match (self.prepare(&files), &self.uploads) {
            (Ok(marker), Some(uploads)) if !marker.is_done() => uploads.begin(Upload::new(files, marker)),
            (Ok(_), _) => {
                // The compressed copy is on disk: the big one has served.
                if let Err(error) = remove_if_there(&files.wav) {
                    tracing::warn!(wav = %files.wav.display(), %error, "a compressed recording's WAV stays");
                }
                self.shared.awaits_no_more(&call_id);
            }
            // The thread ends, and the next start finds the recording.
            (Err(PrepareError::Compress(CompressError::Stopped)), _) => {}
            (Err(error), _) if error.is_the_disks() => {
                tracing::error!(call_id, %error, "a recording waits to be compressed");
                self.rest_until = now + self.disk_rest;
                self.left_over.push_back(call_id);
            }
            (Err(error), _) => {
                tracing::error!(call_id, %error, "a recording cannot be compressed; its WAV stays");
                self.shared.counters.failed.fetch_add(1, Relaxed);
                self.shared.awaits_no_more(&call_id);
            }
        }
    }

    /// The marker of a recording whose `.ogg` is whole, compressing it unless that is done.
    fn prepare(&self, files: &Files) -> Result<Marker, PrepareError> {
        let unreadable = |path: &Path, source| PrepareError::Read { path: path.to_owned(), source };
        if let Some(marker) = Marker::read(&files.marker).map_err(|source| unreadable(&files.marker, source))? {
            let is_whole = files.ogg.metadata().is_ok_and(|ogg| ogg.len() == marker.bytes);
            if marker.is_done() || is_whole {
                return Ok(marker);
            }
        }
        let compressed = compress(&files.wav, &files.ogg, &files.call_id, || self.shared.stopping.load(Relaxed))?;
        self.shared.counters.compressed.fetch_add(1, Relaxed);
        let (sha256, bytes) = sha256(&files.ogg).map_err(|source| unreadable(&files.ogg, source))?;
        let marker = Marker { sha256, bytes, duration_ms: compressed.samples / 8, state: State::Compressed };
        let written = marker.write(&files.marker);
        written.map_err(|source| PrepareError::Write { path: files.marker.clone(), source })?;
        Ok(marker)
    }
}

// === impl PrepareError ===

impl PrepareError {
    /// Nothing is wrong with the recording: when the disk has room again, so has it.
    fn is_the_disks(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Compress(CompressError::Write { .. }))
    }
}

/// Lower-case hex, and how many bytes were read.
fn sha256(path: &Path) -> io::Result<(String, u64)> {
    let mut hash = Sha256::new();
    let bytes = io::copy(&mut File::open(path)?, &mut hash)?;
    Ok((format!("{:x}", hash.finalize()), bytes))
}

/// Leaves the cores to whoever wants them.
pub(super) fn step_aside() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: thread 0 is the calling one, and the parameters live until the call returns.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) } == 0 {
        return;
    }
    // SAFETY: plain system call; 0 is the calling thread, for which Linux keeps a nice value of its own.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) } != 0 {
        tracing::info!("recordings are compressed at ordinary priority");
    }
}
