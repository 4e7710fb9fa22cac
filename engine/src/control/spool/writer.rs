//! The thread that appends events: as many as are waiting, one sync for all of them, then the live readers.
//! A disk that refuses is tried again; nothing is told to anybody that is not on disk.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use edge_protocol::CallEvent;
use time::OffsetDateTime;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::follow::{Position, SpoolEnd};
use super::segment::{SegmentId, segments};
use super::{SpoolConfig, SpoolError};

/// Most events in one write and sync.
const BATCH: usize = 4096;
/// How long the first event of a batch waits for others: a sync costs as much as hundreds of events.
const GATHER: Duration = Duration::from_millis(10);
/// Pause before a refused batch is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// Tries for the last batches once the spool is being closed: the node wants to end.
const LAST_TRIES: u32 = 3;

pub(super) enum Message {
    Event(Arc<CallEvent>),
    /// Answered once everything before it is on disk.
    Flush(oneshot::Sender<()>),
}

pub(super) struct Writer {
    config: SpoolConfig,
    messages: mpsc::Receiver<Message>,
    live: broadcast::Sender<Arc<CallEvent>>,
    segment: Segment,
    end: watch::Sender<SpoolEnd>,
}

struct Segment {
    id: SegmentId,
    path: PathBuf,
    file: File,
    /// Whole, synced lines.
    length: u64,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(
        config: SpoolConfig,
        messages: mpsc::Receiver<Message>,
        live: broadcast::Sender<Arc<CallEvent>>,
    ) -> Result<Self, SpoolError> {
        let newest = segments(&config.dir)?.last().copied();
        let id = newest.unwrap_or_else(|| SegmentId::following(None, OffsetDateTime::now_utc().date()));
        let path = id.path(&config.dir);
        let segment = Segment::open(id, path.clone()).map_err(|source| SpoolError::File { path, source })?;
        let end = watch::Sender::new(SpoolEnd { position: segment.end(), events: 0 });
        Ok(Self { config, messages, live, segment, end })
    }

    /// How far everything is on disk, from now on.
    pub(super) fn end(&self) -> watch::Receiver<SpoolEnd> {
        self.end.subscribe()
    }

    /// Runs until the last publisher is gone and everything is written.
    pub(super) fn run(mut self) {
        let mut waiting = Vec::with_capacity(BATCH);
        while self.messages.blocking_recv_many(&mut waiting, BATCH) > 0 {
            self.gather(&mut waiting);
            let mut events = Vec::with_capacity(waiting.len());
            let mut flushes = Vec::new();
            for message in waiting.drain(..) {
                match message {
                    Message::Event(event) => events.push(event),
                    Message::Flush(done) => flushes.push(done),
                }
            }
            if !events.is_empty() && !self.write_batch(&events) {
                continue;
            }
            for event in events {
                // Nobody listening is fine: the event is on disk.
                let _ = self.live.send(event);
            }
            for done in flushes {
                let _ = done.send(());
            }
        }
    }

    /// Lets a batch grow, unless somebody waits for it already.
    fn gather(&mut self, waiting: &mut Vec<Message>) {
        if waiting.iter().any(|message| matches!(message, Message::Flush(_))) {
            return;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the writer's own thread; what comes meanwhile is what it waits for"
        )]
        std::thread::sleep(GATHER);
        while waiting.len() < BATCH
            && let Ok(message) = self.messages.try_recv()
        {
            waiting.push(message);
        }
    }

    /// Appends and syncs until the disk has taken it; false if the node ends before it does.
    fn write_batch(&mut self, events: &[Arc<CallEvent>]) -> bool {
        let mut lines = Vec::with_capacity(events.len() * 256);
        let mut written = 0;
        for event in events {
            let start = lines.len();
            match serde_json::to_writer(&mut lines, event) {
                Ok(()) => {
                    lines.push(b'\n');
                    written += 1;
                }
                Err(error) => {
                    lines.truncate(start);
                    tracing::error!(call_id = event.call_id, seq = event.seq, %error, "an event is not JSON");
                }
            }
        }
        let mut last_tries = 0;
        loop {
            let Err(error) = self.rotate().and_then(|()| self.segment.append(&lines)) else {
                let position = self.segment.end();
                self.end.send_modify(|end| *end = SpoolEnd { position, events: end.events + written });
                return true;
            };
            tracing::error!(file = %self.segment.path.display(), %error, events = events.len(), "events wait for the disk");
            if self.messages.is_closed() {
                last_tries += 1;
                if last_tries == LAST_TRIES {
                    return false;
                }
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "the writer's own thread; a full disk tells nobody when it has room"
            )]
            std::thread::sleep(RETRY);
        }
    }

    /// Begins a new file when the day or the size asks for it.
    fn rotate(&mut self) -> io::Result<()> {
        let today = OffsetDateTime::now_utc().date();
        if self.segment.length < self.config.segment_bytes && self.segment.id.date >= today {
            return Ok(());
        }
        if self.segment.length == 0 && self.segment.id.date >= today {
            return Ok(());
        }
        let id = SegmentId::following(Some(self.segment.id), today);
        self.segment = Segment::open(id, id.path(&self.config.dir))?;
        Ok(())
    }
}

// === impl Segment ===

impl Segment {
    fn open(id: SegmentId, path: PathBuf) -> io::Result<Self> {
        let mut file = File::options().create(true).truncate(false).write(true).open(&path)?;
        let length = file.seek(SeekFrom::End(0))?;
        // What a dead node wrote last may not be safe yet; readers take it for that.
        file.sync_data()?;
        if let Some(dir) = path.parent() {
            // Otherwise a power failure may take the new file's name, and with it the synced lines.
            File::open(dir)?.sync_all()?;
        }
        Ok(Self { id, path, file, length })
    }

    fn end(&self) -> Position {
        Position { segment: self.id, offset: self.length }
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let result = self.file.write_all(lines).and_then(|()| self.file.sync_data());
        match result {
            Ok(()) => self.length += lines.len() as u64,
            Err(_) => {
                // The next try must not follow half a line. Should this fail too, so will that try.
                let _ = self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
            }
        }
        result
    }
}
