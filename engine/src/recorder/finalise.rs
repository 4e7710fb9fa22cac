//! The thread that turns finished and left-over journals into files, one after the other.
//! It may take its time: nothing on a call waits for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use tokio::sync::mpsc::UnboundedSender;

use super::journal::read_journal;
use super::wav::write_wav;
use super::{FinishedRecording, JournalError, RecorderError, RecordingEvent};

/// A journal that nobody writes to any more.
pub(super) enum Job {
    /// The call ended.
    Finish(PathBuf),
    /// The node that wrote it is gone.
    Recover(PathBuf),
}

pub(super) struct Finaliser {
    pub(super) jobs: Receiver<Job>,
    pub(super) events: UnboundedSender<RecordingEvent>,
}

// === impl Finaliser ===

impl Finaliser {
    /// Runs until the last sender of jobs is gone.
    pub(super) fn run(self) {
        while let Ok(job) = self.jobs.recv() {
            let event = match &job {
                Job::Finish(journal) => finalise(journal).map(RecordingEvent::Ready),
                Job::Recover(journal) => finalise(journal).map(RecordingEvent::Recovered),
            };
            let (Job::Finish(journal) | Job::Recover(journal)) = job;
            // Nobody listening is no reason to leave recordings unfinished.
            let _ = self
                .events
                .send(event.unwrap_or_else(|error| RecordingEvent::Failed { call_id: stem(&journal), error }));
        }
    }
}

/// Writes the file beside the journal, then removes the journal: dying in between only means doing it again.
fn finalise(journal_path: &Path) -> Result<FinishedRecording, RecorderError> {
    let unreadable = |source| RecorderError::Journal { path: journal_path.to_owned(), source };
    let bytes = fs::read(journal_path).map_err(|error| unreadable(JournalError::Io(error)))?;
    let journal = match read_journal(&bytes) {
        Ok(journal) => journal,
        Err(error) => {
            // Kept for a person to look at, but not met again at every start.
            let _ = fs::rename(journal_path, journal_path.with_extension("damaged"));
            return Err(unreadable(error));
        }
    };
    drop(bytes);
    if journal.torn_bytes > 0 {
        tracing::warn!(journal = %journal_path.display(), torn_bytes = journal.torn_bytes, "dropped a torn block");
    }
    let path = journal_path.with_extension("wav");
    let wav = write_wav(&journal, &path).map_err(|source| RecorderError::Write { path: path.clone(), source })?;
    fs::remove_file(journal_path).map_err(|source| RecorderError::Write { path: journal_path.to_owned(), source })?;
    Ok(FinishedRecording { meta: journal.meta, path, duration_ms: wav.duration_ms, bytes: wav.bytes })
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
