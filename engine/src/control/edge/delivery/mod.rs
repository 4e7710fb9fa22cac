//! Events on disk become events at the edge: batches out, receipts in, the cursor behind what is acknowledged.
//! Which events go together is `window`'s matter; journalling them is the spool's.

mod cursor;
mod reader;
mod undeliverable;
mod window;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff};
use bytes::{BufMut, Bytes, BytesMut};
use edge_protocol::VERSION;
use edge_protocol::delivery::BatchReceipt;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::client::{EdgeError, SignedClient};
use crate::backoff::pauses;
use crate::control::spool::{EventSpool, Follower, SpoolEnd, SpoolError, remove_old};
use cursor::Cursor;
use reader::{Fact, count, read_on};
use window::{Batch, GivenUp, Window};

const PATH: &str = "/v1/engine/events";

/// Longest wait for a receipt: events of 500 calls may take the edge 20 s.
const PATIENCE: Duration = Duration::from_secs(30);
/// Least time between two writes of the cursor.
const CURSOR_EVERY: Duration = Duration::from_millis(100);
/// Pauses while the edge is away, and of a call whose events were not taken.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Longest pause the edge may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);
/// Pause before a disk that takes no undeliverable event, or no cursor, is tried again.
const DISK_RETRY: Duration = Duration::from_secs(1);

/// Takes a batch to the edge and brings its receipt.
pub trait Courier: Send + Sync + 'static {
    /// `batch` is an `EventBatch` in JSON.
    fn deliver(&self, batch: Bytes) -> BoxFuture<'static, Result<BatchReceipt, EdgeError>>;

    /// Name of the node that sends.
    fn node(&self) -> &str;
}

/// The running task.
pub struct Delivery {
    progress: Progress,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// How much is still to be delivered. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Progress {
    end: watch::Receiver<SpoolEnd>,
    /// Events that waited when delivery began, and the spool's own count then.
    at_start: u64,
    seen: u64,
    /// Events that are delivered, or kept apart for good.
    settled: Arc<AtomicU64>,
    moved: Arc<Notify>,
}

struct Task {
    courier: Arc<dyn Courier>,
    dir: PathBuf,
    keep_days: u32,
    window: Window,
    cursor: Cursor,
    progress: Progress,
    stop: CancellationToken,
    under_way: JoinSet<(Batch, Result<BatchReceipt, EdgeError>)>,
    /// While the edge is away: how long, and until when.
    pauses: Option<ExponentialBackoff>,
    paused_until: Instant,
    cursor_due: Instant,
}

// === impl SignedClient ===

impl Courier for Arc<SignedClient> {
    fn deliver(&self, batch: Bytes) -> BoxFuture<'static, Result<BatchReceipt, EdgeError>> {
        let client = self.clone();
        async move { client.post_bytes(PATH, batch, PATIENCE).await }.boxed()
    }

    fn node(&self) -> &str {
        SignedClient::node(self)
    }
}

// === impl Delivery ===

impl Delivery {
    /// Delivers what `spool` has and gets, from where an earlier run left off. Files that are delivered whole are
    /// deleted when they were begun more than `keep_days` days ago, at least two.
    ///
    /// # Errors
    /// [`SpoolError`] if the spool cannot be read.
    pub async fn start(courier: impl Courier, spool: &EventSpool, keep_days: u32) -> Result<Self, SpoolError> {
        let dir = spool.dir().to_owned();
        let mut end = spool.end();
        let seen = *end.borrow_and_update();
        let opened = {
            let dir = dir.clone();
            tokio::task::spawn_blocking(move || {
                let failed = |source| SpoolError::Directory { path: dir.clone(), source };
                let cursor = Cursor::load(&dir, seen.position).map_err(failed)?;
                let before = count(&mut Follower::new(dir.clone(), cursor.saved(), seen.position)?, seen.position);
                Ok::<_, SpoolError>((Follower::new(dir, cursor.saved(), seen.position)?, cursor, before))
            })
        };
        let (follower, cursor, counted) = opened.await.map_err(|error| SpoolError::Thread(error.into()))??;
        tracing::info!(events = counted, "events wait for the edge");
        let progress = Progress {
            end: end.clone(),
            at_start: counted,
            seen: seen.events,
            settled: Arc::default(),
            moved: Arc::default(),
        };
        let (facts, from_reader) = mpsc::channel(1);
        let reader = tokio::spawn(read_on(follower, end, facts));
        let stop = CancellationToken::new();
        let now = Instant::now();
        let task = Task {
            courier: Arc::new(courier),
            dir,
            keep_days,
            window: Window::new(pauses(SHORTEST_PAUSE, LONGEST_PAUSE)),
            cursor,
            progress: progress.clone(),
            stop: stop.clone(),
            under_way: JoinSet::new(),
            pauses: None,
            paused_until: now,
            cursor_due: now,
        };
        let task = tokio::spawn(async move {
            task.run(from_reader).await;
            reader.abort();
        });
        Ok(Self { progress, stop, task })
    }

    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Waits until everything is delivered, but not longer than `patience`, and stops. What is left stays on disk.
    pub async fn finish(self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.progress.all_delivered()).await;
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "delivery did not end cleanly");
        }
    }
}

// === impl Progress ===

impl Progress {
    /// Events on disk that the edge has not acknowledged.
    pub fn waiting(&self) -> u64 {
        let written = self.end.borrow().events.saturating_sub(self.seen);
        (self.at_start + written).saturating_sub(self.settled.load(Relaxed))
    }

    /// Resolves when nothing waits.
    pub async fn all_delivered(&self) {
        loop {
            let moved = self.moved.notified();
            if self.waiting() == 0 {
                return;
            }
            moved.await;
        }
    }

    fn settle(&self, events: u64) {
        self.settled.fetch_add(events, Relaxed);
        self.moved.notify_waiters();
    }
}

// === impl Task ===

impl Task {
    async fn run(mut self, mut facts: mpsc::Receiver<Vec<Fact>>) {
        let stop = self.stop.clone();
        loop {
            self.send();
            let wake = self.next_wake();
            tokio::select! {
                () = stop.cancelled() => break,
                Some(read) = facts.recv(), if !self.window.is_full() => self.take(read).await,
                Some(outcome) = self.under_way.join_next() => match outcome {
                    Ok((batch, outcome)) => self.answered(batch, outcome).await,
                    Err(error) => {
                        tracing::error!(%error, "a batch of events panicked: events are not delivered until the next start");
                        break;
                    }
                },
                () = sleep_until(wake) => {}
            }
            self.save_cursor(false).await;
        }
        self.save_cursor(true).await;
    }

    /// Sends as many batches as may be under way.
    fn send(&mut self) {
        let now = Instant::now();
        while now >= self.paused_until
            && let Some(batch) = self.window.next_batch(now)
        {
            let delivered = self.courier.deliver(body(self.courier.node(), &batch.lines));
            self.under_way.spawn(async move { (batch, delivered.await) });
        }
    }

    async fn take(&mut self, read: Vec<Fact>) {
        for fact in read {
            if let Some(given_up) = self.window.push(fact) {
                self.keep_apart(given_up).await;
            }
        }
    }

    async fn answered(&mut self, batch: Batch, answer: Result<BatchReceipt, EdgeError>) {
        match answer {
            Ok(receipt) => {
                if self.pauses.take().is_some() {
                    tracing::info!("the edge takes events again");
                }
                self.paused_until = Instant::now();
                let outcome = self.window.received(batch, &receipt, Instant::now());
                self.progress.settle(outcome.acknowledged);
                for given_up in outcome.given_up {
                    self.keep_apart(given_up).await;
                }
            }
            Err(error) if is_final(&error) && batch.lines.len() > 1 => self.window.halve(batch),
            Err(error) if is_final(&error) && self.takes_empty_batches().await => {
                if let Some(given_up) = self.window.never(batch, error.to_string()) {
                    self.keep_apart(given_up).await;
                }
            }
            Err(error) => {
                self.window.not_received(batch);
                self.pause(&error);
            }
        }
    }

    /// An edge that refuses even a batch without events refuses us, not the event.
    async fn takes_empty_batches(&self) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            taken = self.courier.deliver(body(self.courier.node(), &[])) => taken.is_ok(),
        }
    }

    fn pause(&mut self, error: &EdgeError) {
        let now = Instant::now();
        if now < self.paused_until {
            return;
        }
        let pauses = self.pauses.get_or_insert_with(|| pauses(SHORTEST_PAUSE, LONGEST_PAUSE).build());
        let ours = pauses.next().unwrap_or(LONGEST_PAUSE);
        let pause = error.retry_after().map_or(ours, |theirs| theirs.clamp(ours, LONGEST_RETRY_AFTER.max(ours)));
        tracing::warn!(%error, waiting = self.progress.waiting(), pause_ms = pause.as_millis() as u64, "the edge takes no events");
        self.paused_until = now + pause;
    }

    /// Writes down what is not tried any more. Until it is written, the cursor stays before it.
    async fn keep_apart(&mut self, given_up: GivenUp) {
        let GivenUp { call_id, lines, error, .. } = &given_up;
        tracing::error!(%call_id, events = lines.len(), error, "events are not delivered; they are in undeliverable.jsonl");
        loop {
            let (dir, lines, error) = (self.dir.clone(), lines.clone(), error.clone());
            let kept = tokio::task::spawn_blocking(move || undeliverable::keep(&dir, &lines, &error)).await;
            match kept.map_err(std::io::Error::other).and_then(|kept| kept) {
                Ok(()) => break,
                Err(error) => tracing::error!(%error, "undeliverable events cannot be written"),
            }
            tokio::select! { () = tokio::time::sleep(DISK_RETRY) => {}, () = self.stop.cancelled() => return }
        }
        self.window.settle(&given_up);
        self.progress.settle(given_up.lines.len() as u64);
    }

    /// When something is due that no message announces.
    fn next_wake(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(3600);
        let paused = self.paused_until > Instant::now();
        let release = self.window.next_release().map(|release| release.max(self.paused_until));
        let cursor = self.cursor_is_behind().then_some(self.cursor_due);
        [release, paused.then_some(self.paused_until), cursor].into_iter().flatten().min().unwrap_or(far)
    }

    fn cursor_is_behind(&self) -> bool {
        self.window.delivered_to().is_some_and(|delivered| Some(delivered) != self.cursor.saved())
    }

    async fn save_cursor(&mut self, at_once: bool) {
        let now = Instant::now();
        let Some(delivered) = self.window.delivered_to().filter(|_| self.cursor_is_behind()) else { return };
        if now < self.cursor_due && !at_once {
            return;
        }
        self.cursor_due = now + CURSOR_EVERY;
        let saved = self.cursor.saved();
        let (dir, keep_days) = (self.dir.clone(), self.keep_days);
        let written = tokio::task::spawn_blocking(move || {
            let written = cursor::write(&dir, delivered);
            // A disk that is full gets room by what an earlier cursor lets go of.
            let (first_kept, is_due) = match written {
                Ok(()) => (Some(delivered), saved.is_none_or(|saved| saved.segment != delivered.segment)),
                Err(_) => (saved, true),
            };
            if let Some(first_kept) = first_kept.filter(|_| is_due)
                && let Err(error) = remove_old(&dir, first_kept.segment, keep_days)
            {
                tracing::error!(%error, "old events are not deleted");
            }
            written
        });
        match written.await.map_err(std::io::Error::other).and_then(|written| written) {
            Ok(()) => self.cursor.is_saved(delivered),
            Err(error) => {
                tracing::error!(%error, "how far events are delivered is not saved");
                self.cursor_due = now + DISK_RETRY;
            }
        }
    }
}

/// The edge read the batch and will never take it.
fn is_final(error: &EdgeError) -> bool {
    matches!(error, EdgeError::Refused { status: 400 | 413 | 422, .. })
}

/// An `EventBatch` of events that are JSON already.
fn body(node: &str, lines: &[Bytes]) -> Bytes {
    let node = serde_json::Value::from(node);
    let mut body = BytesMut::from(format!("{{\"v\":{VERSION},\"node\":{node},\"events\":[").as_bytes());
    body.reserve(lines.iter().map(|line| line.len() + 1).sum::<usize>() + 2);
    for (n, line) in lines.iter().enumerate() {
        if n > 0 {
            body.put_u8(b',');
        }
        body.put_slice(line);
    }
    body.put_slice(b"]}");
    body.freeze()
}

#[cfg(test)]
mod tests;
