//! Compressed recordings on their way to the edge: begin, the parts it lacks, complete; again until it has them.
//! Nothing is forgotten but by the edge's word: whether it has a part, or the whole, is asked each time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff};
use bytes::Bytes;
use edge_protocol::VERSION;
use edge_protocol::recordings::{UploadRequest, UploadStatus};
use serde::de::IgnoredAny;
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinError;
use tokio::time::Instant;

use super::files::Files;
use super::marker::{Marker, State};
use super::retention::remove_if_there;
use super::{Pace, Shared};
use crate::backoff::pauses;
use crate::control::{EdgeError, SignedClient};
use crate::wall_clock::unix_ms;

/// How long the edge may take to begin an upload.
const BEGIN: Duration = Duration::from_secs(15);
/// How long a part may take, and to put the parts together.
const PART: Duration = Duration::from_secs(120);
/// Attempts in a row without an answer after which a node that stops does not wait for the edge.
const AWAY_AFTER: u32 = 3;
/// Longest pause before the edge is asked again whether it has heard of a call.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(3600);
const CONTENT_TYPE: &str = "audio/ogg";

/// A recording to be uploaded.
pub(super) struct Upload {
    files: Files,
    marker: Marker,
    /// Set while the edge says that it does not know the call.
    unknown: Option<UnknownCall>,
    /// The edge put together what was not announced, and was sent all of it again.
    sent_anew: bool,
}

/// A call whose recording came to the edge before its first event.
struct UnknownCall {
    since: Instant,
    pauses: ExponentialBackoff,
}

/// The queue of uploads, with what it takes to do them; every clone serves the same queue.
#[derive(Clone)]
pub(super) struct Uploads {
    edge: Arc<SignedClient>,
    pace: Pace,
    shared: Arc<Shared>,
    queue: UnboundedSender<Upload>,
    queued: Arc<Mutex<UnboundedReceiver<Upload>>>,
}

/// Why a recording is not uploaded yet.
#[derive(Debug, Error)]
enum UploadError {
    #[error(transparent)]
    Edge(#[from] EdgeError),
    #[error("the edge does not know the call: {0}")]
    UnknownCall(EdgeError),
    #[error("the edge has other bytes than were sent; all are sent again: {0}")]
    Differs(EdgeError),
    /// Asking the same again cannot help.
    #[error("refused for good: {0}")]
    Refused(EdgeError),
    #[error("the edge has all parts and says that the recording is not complete")]
    Incomplete,
    #[error("the file was not waited for: {0}")]
    Interrupted(#[from] JoinError),
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

// === impl Upload ===

impl Upload {
    pub(super) fn new(files: Files, marker: Marker) -> Self {
        Self { files, marker, unknown: None, sent_anew: false }
    }
}

// === impl Uploads ===

impl Uploads {
    pub(super) fn new(edge: Arc<SignedClient>, pace: Pace, shared: Arc<Shared>) -> Self {
        let (queue, queued) = unbounded_channel();
        Self { edge, pace, shared, queue, queued: Arc::new(Mutex::new(queued)) }
    }

    /// Queues a recording.
    pub(super) fn begin(&self, upload: Upload) {
        // This very value holds the receiver.
        let _ = self.queue.send(upload);
    }

    /// Serves the queue for ever. What fails goes to its end, so that one recording does not keep others waiting.
    pub(super) async fn run(self) {
        let (mut pauses, mut unanswered) = (self.pace.pauses(self.pace.longest_pause), 0);
        loop {
            let Some(mut upload) = self.queued.lock().await.recv().await else { return };
            let Err(error) = self.upload(&mut upload).await else {
                (pauses, unanswered) = (self.pace.pauses(self.pace.longest_pause), 0);
                continue;
            };
            let no_answer = matches!(&error, UploadError::Edge(error) if error.is_away());
            unanswered = if no_answer { unanswered + 1 } else { 0 };
            self.shared.edge_is_away(unanswered >= AWAY_AFTER);
            let call_id = upload.files.call_id.clone();
            if let UploadError::UnknownCall(_) = error
                && let Some(pause) = self.unknown_pause(&mut upload)
            {
                tracing::warn!(call_id, %error, pause_ms = pause.as_millis(), "a recording is set aside");
                self.set_aside(upload, pause);
                continue;
            }
            if error.is_final() {
                tracing::error!(call_id, ogg = %upload.files.ogg.display(), %error, "a recording is not uploaded; it stays here");
                self.give_up(upload, error.to_string()).await;
                continue;
            }
            let asked = error.retry_after().min(self.pace.longest_pause);
            let pause = pauses.next().unwrap_or(self.pace.longest_pause).max(asked);
            tracing::warn!(call_id, %error, pause_ms = pause.as_millis(), "a recording is not uploaded yet");
            upload.unknown = None;
            upload.sent_anew |= matches!(error, UploadError::Differs(_));
            self.begin(upload);
            tokio::time::sleep(pause).await;
        }
    }

    /// One attempt, up to the removal of the WAV.
    async fn upload(&self, upload: &mut Upload) -> Result<(), UploadError> {
        self.send(upload).await?;
        self.shared.edge_is_away(false);
        upload.marker.state = State::Done { at_ms: unix_ms() };
        let (marker, files) = (upload.marker.clone(), upload.files.clone());
        on_disk(move || {
            let written = marker.write(&files.marker);
            written.map_err(|source| UploadError::Write { path: files.marker, source })?;
            if let Err(error) = remove_if_there(&files.wav) {
                tracing::warn!(wav = %files.wav.display(), %error, "an uploaded recording's WAV stays");
            }
            Ok(())
        })
        .await?;
        self.shared.counters.uploaded.fetch_add(1, Relaxed);
        tracing::info!(call_id = upload.files.call_id, bytes = upload.marker.bytes, "recording uploaded");
        self.shared.awaits_no_more(&upload.files.call_id);
        Ok(())
    }

    /// Returns when the edge said that it has the recording, whole.
    async fn send(&self, upload: &Upload) -> Result<(), UploadError> {
        let Marker { sha256, bytes, duration_ms, .. } = &upload.marker;
        let request = UploadRequest {
            v: VERSION,
            node: self.edge.node().to_owned(),
            bytes: *bytes,
            sha256: sha256.clone(),
            content_type: CONTENT_TYPE.to_owned(),
            duration_ms: *duration_ms,
        };
        let path = format!("/v1/engine/recordings/{}", upload.files.call_id);
        let status: UploadStatus =
            self.edge.post_json(&path, &request, BEGIN).await.map_err(|error| match status_of(&error) {
                // `call_unknown`: its first event is still under way.
                Some(404 | 425) => UploadError::UnknownCall(error),
                _ => classify(error),
            })?;
        if status.complete {
            return Ok(());
        }
        let path = format!("{path}/{}", status.upload_id);
        // An upload the edge has forgotten since it began is begun again.
        let in_course = |error: EdgeError| match status_of(&error) {
            Some(404 | 409 | 410) => UploadError::Edge(error),
            _ => classify(error),
        };
        for (part, offset) in (1u16..).zip((0..*bytes).step_by(self.part_bytes())) {
            if status.parts.contains(&part) {
                continue;
            }
            let body = self.part(&upload.files, offset, *bytes).await?;
            match self.edge.put_bytes::<IgnoredAny>(&format!("{path}/parts/{part}"), body, PART).await {
                // What it says beside "success" does not matter: whether it has the part is seen at the end.
                Ok(_) | Err(EdgeError::Malformed { .. }) => {}
                Err(error) => return Err(in_course(error)),
            }
        }
        let status: UploadStatus =
            self.edge.post_json(&format!("{path}/complete"), &request, PART).await.map_err(|error| {
                match status_of(&error) {
                    // It has thrown all of them away.
                    Some(422) if !upload.sent_anew => UploadError::Differs(error),
                    _ => in_course(error),
                }
            })?;
        if status.complete { Ok(()) } else { Err(UploadError::Incomplete) }
    }

    /// The part of the file that begins at `offset`.
    async fn part(&self, files: &Files, offset: u64, bytes: u64) -> Result<Bytes, UploadError> {
        let path = files.ogg.clone();
        let mut part = vec![0; self.part_bytes().min(usize::try_from(bytes - offset).unwrap_or(usize::MAX))];
        on_disk(move || {
            let read = File::open(&path).and_then(|file| file.read_exact_at(&mut part, offset));
            read.map(|()| Bytes::from(part)).map_err(|source| UploadError::Read { path, source })
        })
        .await
    }

    fn part_bytes(&self) -> usize {
        usize::try_from(self.pace.part_bytes).unwrap_or(usize::MAX).max(1)
    }

    /// How long to wait for the events of a call, which travel apart from its recording; `None`: long enough.
    fn unknown_pause(&self, upload: &mut Upload) -> Option<Duration> {
        let first = || UnknownCall { since: Instant::now(), pauses: self.pace.pauses(UNKNOWN_PAUSE) };
        let unknown = upload.unknown.get_or_insert_with(first);
        if unknown.since.elapsed() < self.pace.unknown_call { unknown.pauses.next() } else { None }
    }

    /// Queues a recording after a while, and meanwhile serves others.
    fn set_aside(&self, upload: Upload, pause: Duration) {
        let uploads = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            uploads.begin(upload);
        });
    }

    async fn give_up(&self, mut upload: Upload, error: String) {
        upload.marker.state = State::Failed { error };
        let (marker, path) = (upload.marker, upload.files.marker);
        let shown = path.display().to_string();
        let written = on_disk(move || marker.write(&path).map_err(|source| UploadError::Write { path, source })).await;
        if let Err(error) = written {
            tracing::error!(marker = shown, %error, "why a recording is not uploaded is only in this log");
        }
        self.shared.counters.failed.fetch_add(1, Relaxed);
        self.shared.awaits_no_more(&upload.files.call_id);
    }
}

// === impl Pace ===

impl Pace {
    /// Pauses between failures that follow each other, without end.
    fn pauses(&self, longest: Duration) -> ExponentialBackoff {
        pauses(self.first_pause, longest).build()
    }
}

// === impl UploadError ===

impl UploadError {
    /// Only another start can help.
    fn is_final(&self) -> bool {
        match self {
            Self::Refused(_) | Self::UnknownCall(_) => true,
            // What is gone is compressed again then.
            Self::Read { source, .. } => {
                matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
            }
            _ => false,
        }
    }

    /// What the edge asked us to wait.
    fn retry_after(&self) -> Duration {
        match self {
            Self::Edge(error) => error.retry_after().unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }
}

fn status_of(error: &EdgeError) -> Option<u16> {
    match error {
        EdgeError::Refused { status, .. } => Some(*status),
        _ => None,
    }
}

/// What is wrong with the request stays wrong; what is wrong with the line, the clock or a key is put right by people.
fn classify(error: EdgeError) -> UploadError {
    match status_of(&error) {
        Some(401 | 403) => UploadError::Edge(error),
        Some(400..=499) if !error.is_away() => UploadError::Refused(error),
        _ => UploadError::Edge(error),
    }
}

/// Off the runtime's threads: the disk may take its time.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, UploadError> + Send + 'static,
) -> Result<T, UploadError> {
    tokio::task::spawn_blocking(work).await?
}
