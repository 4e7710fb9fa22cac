//! What happened goes to the control plane: events of calls, recordings that are ready, calls a crash cut off.
//! The facts themselves come from calls and the recorder; the journal is `control`'s.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use edge_protocol::{CallEvent, EndCause, EventKind, MediaQuality, VERSION};
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver};
use tokio::task::JoinHandle;

use super::{Node, metrics, recordings};
use crate::control::{CallTail, PublishError};
use crate::recorder::archive::compressed_copy;
use crate::recorder::{FinishedRecording, RecordingEvent};

/// Pause before a fact is offered again to a journal that is behind.
const JOURNAL_IS_BEHIND: Duration = Duration::from_millis(20);

/// How long the last facts may take to reach the disk when the node stops.
const LAST_FACTS: Duration = Duration::from_secs(15);

/// Bytes before the samples in a WAV file, and bytes of both channels in a millisecond.
const WAV_HEADER_BYTES: u64 = 44;
const WAV_BYTES_A_MS: u64 = 32;

/// What earlier runs left behind.
pub struct Earlier {
    /// Calls that lack their last events.
    pub unfinished: Vec<CallTail>,
    /// Call ids of complete recordings for the archive.
    pub recordings: Vec<String>,
}

/// The running tasks.
pub struct FactsTask {
    node: Arc<Node>,
    events: JoinHandle<()>,
    recordings: JoinHandle<()>,
}

// === impl FactsTask ===

impl FactsTask {
    pub fn spawn(
        node: Arc<Node>,
        (events, from_calls): (Sender<CallEvent>, Receiver<CallEvent>),
        recordings: UnboundedReceiver<RecordingEvent>,
        earlier: Earlier,
    ) -> Self {
        Self {
            events: tokio::spawn(pass_on_events(node.clone(), from_calls)),
            recordings: tokio::spawn(pass_on_recordings(node.clone(), events, recordings, earlier)),
            node,
        }
    }

    /// Waits until all facts are on disk. The shards and the recorder have ended before.
    pub async fn finish(self) {
        let node = self.node;
        let all = async {
            for task in [self.recordings, self.events] {
                if let Err(error) = task.await {
                    tracing::error!(%error, "facts were not passed on to the end");
                }
            }
            if let Err(error) = node.spool.flush().await {
                tracing::error!(%error, "the journal was not flushed");
            }
        };
        if tokio::time::timeout(LAST_FACTS, all).await.is_err() {
            tracing::error!("the disk does not take the last facts");
        }
    }
}

async fn pass_on_events(node: Arc<Node>, mut events: Receiver<CallEvent>) {
    while let Some(event) = events.recv().await {
        metrics::count(&event);
        node.calls.note(&event);
        if let EventKind::SpeechFailed { turn, stage, error } = &event.kind {
            tracing::warn!(call_id = event.call_id, turn, ?stage, error, "speech failed");
        }
        publish(&node, event).await;
    }
}

/// Recordings become facts by the way calls' facts go, so that theirs come after those of their call.
async fn pass_on_recordings(
    node: Arc<Node>,
    facts: Sender<CallEvent>,
    mut recordings: UnboundedReceiver<RecordingEvent>,
    earlier: Earlier,
) {
    let mut cut_off: HashMap<String, CallTail> = HashMap::new();
    for mut tail in earlier.unfinished {
        if !tail.ended {
            tell(&facts, ended_by_crash(&mut tail)).await;
        }
        match finished_unnoticed(&node, &tail) {
            Some(ready) => tell(&facts, ready).await,
            None => drop(cut_off.insert(tail.call_id.clone(), tail)),
        }
    }
    // Only now: the files were to be found as the crash left them.
    if let Some(archive) = &node.archive {
        archive.take_up(earlier.recordings);
    }
    while let Some(event) = recordings.recv().await {
        let (recording, place) = match event {
            RecordingEvent::Ready(recording) => {
                // The call's task says so before it asks for the recording.
                let awaited = node.calls.recording_came(&recording.meta.call_id);
                (recording, awaited.map(|awaited| (awaited.started_at_ms, awaited.seq)))
            }
            RecordingEvent::Recovered(recording) => {
                tracing::info!(path = %recording.path.display(), duration_ms = recording.duration_ms, "recording recovered");
                let tail = cut_off.remove(&recording.meta.call_id);
                (recording, tail.map(|tail| (tail.call_started_at_ms, tail.next_seq)))
            }
            RecordingEvent::Failed { call_id, error } => {
                tracing::error!(call_id, %error, "recording failed");
                node.calls.recording_came(&call_id);
                continue;
            }
        };
        let call_id = recording.meta.call_id.clone();
        if let Some((started_at_ms, seq)) = place {
            tell(&facts, recording_ready(recording, started_at_ms, seq)).await;
        }
        to_archive(&node, &call_id);
    }
}

fn to_archive(node: &Node, call_id: &str) {
    if let Some(archive) = &node.archive {
        archive.take(call_id);
    }
}

async fn tell(facts: &Sender<CallEvent>, event: CallEvent) {
    // The other task ends only after this one.
    let _ = facts.send(event).await;
}

/// The recording of a call that was complete when the node died, before it could say so.
fn finished_unnoticed(node: &Node, tail: &CallTail) -> Option<CallEvent> {
    let recordings = recordings::dir(&node.config);
    let path = recordings.join(&tail.call_id).with_extension("wav");
    if tail.recorded || recordings.join(&tail.call_id).with_extension("journal").exists() {
        return None;
    }
    let (path, duration_ms, bytes) = match path.metadata() {
        Ok(wav) => (path, wav.len().saturating_sub(WAV_HEADER_BYTES) / WAV_BYTES_A_MS, wav.len()),
        // The disk was so far behind with events that the archive overtook them.
        Err(_) => compressed_copy(&recordings, &tail.call_id)?,
    };
    let kind = EventKind::RecordingReady { path: path.display().to_string(), duration_ms, bytes };
    Some(CallEvent {
        v: VERSION,
        call_id: tail.call_id.clone(),
        seq: tail.next_seq,
        call_started_at_ms: tail.call_started_at_ms,
        at_ms: duration_ms,
        kind,
    })
}

/// Nothing that happened is dropped: a journal that is behind is waited for.
pub async fn publish(node: &Node, event: CallEvent) {
    loop {
        match node.spool.publish(event.clone()) {
            Ok(()) => return,
            Err(PublishError::Full) => tokio::time::sleep(JOURNAL_IS_BEHIND).await,
            Err(error @ PublishError::Closed) => {
                tracing::error!(%error, call_id = event.call_id, seq = event.seq, "a fact is lost");
                return;
            }
        }
    }
}

fn ended_by_crash(tail: &mut CallTail) -> CallEvent {
    let seq = tail.next_seq;
    tail.next_seq += 1;
    CallEvent {
        v: VERSION,
        call_id: tail.call_id.clone(),
        seq,
        call_started_at_ms: tail.call_started_at_ms,
        at_ms: tail.last_at_ms,
        kind: EventKind::CallEnded {
            cause: EndCause::NodeCrashed,
            duration_ms: tail.last_at_ms,
            turns: tail.turns,
            quality: MediaQuality::default(),
            sip: None,
            wasted_requests: 0,
            usage: Vec::new(),
        },
    }
}

fn recording_ready(recording: FinishedRecording, call_started_at_ms: u64, seq: u64) -> CallEvent {
    CallEvent {
        v: VERSION,
        call_id: recording.meta.call_id,
        seq,
        call_started_at_ms,
        at_ms: recording.duration_ms,
        kind: EventKind::RecordingReady {
            path: recording.path.display().to_string(),
            duration_ms: recording.duration_ms,
            bytes: recording.bytes,
        },
    }
}
