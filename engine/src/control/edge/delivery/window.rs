//! The events that were read and are not acknowledged: a queue a call, batches out of them, receipts into them.
//! Pure: no disk, no network and no clock; `delivery` brings all three.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use bytes::Bytes;
use edge_protocol::delivery::{BatchReceipt, MAX_BATCH_BYTES, MAX_BATCH_EVENTS};
use tokio::time::Instant;

use super::reader::Fact;
use crate::control::spool::Position;

/// Batches that may be under way at once; all events of a call go by the same lane.
pub const LANES: usize = 4;
/// Most events and bytes that wait for their receipt; reading goes on when there is room.
const MOST_EVENTS: usize = 20_000;
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// Answers that name a number the call's queue does not have, before its events are given up.
const GAP_TRIES: u32 = 10;
/// Room in a batch's body for what is around the events.
const BODY_FRAME: usize = 512;

/// All that is not acknowledged.
pub struct Window {
    calls: HashMap<Arc<str>, CallQueue>,
    lanes: [Lane; LANES],
    /// Calls that wait until then.
    held: BTreeSet<(Instant, Arc<str>)>,
    /// Where each event not acknowledged begins, by the order in which they were read.
    open: BTreeMap<u64, Position>,
    read: u64,
    /// The end of what was read.
    read_to: Option<Position>,
    bytes: usize,
    pauses: ExponentialBuilder,
}

struct Lane {
    /// Calls with events to be sent, the next one first.
    ready: VecDeque<Arc<str>>,
    /// Most events in the next batch: fewer while an event is searched that the edge does not take.
    limit: usize,
    busy: bool,
}

/// One call's events, in order. It is in its lane's `ready`, or held, or under way.
struct CallQueue {
    lane: usize,
    events: VecDeque<Event>,
    pauses: Option<ExponentialBackoff>,
    gaps: u32,
}

struct Event {
    index: u64,
    seq: u64,
    line: Bytes,
}

/// Events under way.
#[derive(Debug)]
pub struct Batch {
    lane: usize,
    /// Calls and how many of their first events.
    calls: Vec<(Arc<str>, usize)>,
    pub lines: Vec<Bytes>,
}

/// Events that are not tried any more. They are open until they are [`Window::settle`]d.
#[derive(Debug, PartialEq, Eq)]
pub struct GivenUp {
    pub call_id: Arc<str>,
    pub lines: Vec<Bytes>,
    pub error: String,
    indexes: Vec<u64>,
}

/// What a receipt changed.
#[derive(Debug, Default)]
pub struct Outcome {
    pub acknowledged: u64,
    pub given_up: Vec<GivenUp>,
}

// === impl Window ===

impl Window {
    /// `pauses` are those of a call whose events were not taken.
    pub fn new(pauses: ExponentialBuilder) -> Self {
        Self {
            calls: HashMap::new(),
            lanes: std::array::from_fn(|_| Lane { ready: VecDeque::new(), limit: MAX_BATCH_EVENTS, busy: false }),
            held: BTreeSet::new(),
            open: BTreeMap::new(),
            read: 0,
            read_to: None,
            bytes: 0,
            pauses,
        }
    }

    pub fn is_full(&self) -> bool {
        self.open.len() >= MOST_EVENTS || self.bytes >= MOST_BYTES
    }

    /// Everything before is delivered; `None`: nothing was read yet.
    pub fn delivered_to(&self) -> Option<Position> {
        self.open.values().next().copied().or(self.read_to)
    }

    /// Takes a line. One that is no event is given up at once.
    pub fn push(&mut self, fact: Fact) -> Option<GivenUp> {
        let index = self.read;
        self.read += 1;
        self.open.insert(index, fact.line.start);
        self.read_to = Some(fact.line.end);
        let line = fact.line.bytes;
        let (call_id, seq) = match fact.event {
            Ok((call_id, seq)) => (Arc::<str>::from(call_id), seq),
            Err(error) => {
                let error = format!("not an event: {error}");
                return Some(GivenUp { call_id: Arc::from(""), lines: vec![line], error, indexes: vec![index] });
            }
        };
        self.bytes += line.len();
        let lane = lane_of(&call_id);
        let is_new = !self.calls.contains_key(&call_id);
        let queue = self.calls.entry(call_id.clone()).or_insert_with(|| CallQueue {
            lane,
            events: VecDeque::new(),
            pauses: None,
            gaps: 0,
        });
        queue.events.push_back(Event { index, seq, line });
        if is_new {
            self.make_ready(call_id);
        }
        None
    }

    /// The next batch of any lane that has none under way.
    pub fn next_batch(&mut self, now: Instant) -> Option<Batch> {
        self.release(now);
        (0..LANES).find_map(|lane| self.batch_of(lane))
    }

    /// When the next held call is to be tried again.
    pub fn next_release(&self) -> Option<Instant> {
        self.held.first().map(|(until, _)| *until)
    }

    /// The edge took the batch, or some of it.
    pub fn received(&mut self, batch: Batch, receipt: &BatchReceipt, now: Instant) -> Outcome {
        if let Some(lane) = self.lanes.get_mut(batch.lane) {
            lane.busy = false;
            lane.limit = (lane.limit * 2).min(MAX_BATCH_EVENTS);
        }
        let receipts: HashMap<&str, _> =
            receipt.receipts.iter().map(|receipt| (receipt.call_id.as_str(), receipt)).collect();
        let mut outcome = Outcome::default();
        for (call_id, sent) in batch.calls {
            let answer =
                receipts.get(&*call_id).filter(|receipt| receipt.error.is_none()).map(|receipt| receipt.next_seq);
            let taken_to = receipts.get(&*call_id).map_or(0, |receipt| receipt.next_seq);
            let taken = self.acknowledge(&call_id, taken_to);
            outcome.acknowledged += taken as u64;
            let Some(queue) = self.calls.get_mut(&call_id) else { continue };
            if taken > 0 {
                (queue.pauses, queue.gaps) = (None, 0);
            }
            let Some(front) = queue.events.front() else {
                self.calls.remove(&call_id);
                continue;
            };
            if taken >= sent {
                self.make_ready(call_id);
                continue;
            }
            if let Some(next_seq) = answer.filter(|next_seq| *next_seq < front.seq) {
                queue.gaps += 1;
                if queue.gaps >= GAP_TRIES {
                    let error = format!("the edge waits for event {next_seq} of the call, which is not here any more");
                    outcome.given_up.extend(self.give_up(&call_id, usize::MAX, error));
                    continue;
                }
            }
            self.hold(call_id, now);
        }
        outcome
    }

    /// The batch did not arrive, as far as anybody knows: it is sent again.
    pub fn not_received(&mut self, batch: Batch) {
        if let Some(lane) = self.lanes.get_mut(batch.lane) {
            lane.busy = false;
            for (call_id, _) in batch.calls.into_iter().rev() {
                lane.ready.push_front(call_id);
            }
        }
    }

    /// The edge will never take the batch as it is: it is sent again in halves.
    pub fn halve(&mut self, batch: Batch) {
        if let Some(lane) = self.lanes.get_mut(batch.lane) {
            lane.limit = (batch.lines.len() / 2).max(1);
        }
        self.not_received(batch);
    }

    /// The edge will never take this event, the only one of its batch.
    pub fn never(&mut self, batch: Batch, error: String) -> Option<GivenUp> {
        let call_id = batch.calls.first()?.0.clone();
        if let Some(lane) = self.lanes.get_mut(batch.lane) {
            lane.busy = false;
        }
        let given_up = self.give_up(&call_id, 1, error);
        if self.calls.contains_key(&call_id) {
            self.make_ready(call_id);
        }
        given_up
    }

    /// What was given up is safe elsewhere.
    pub fn settle(&mut self, given_up: &GivenUp) {
        for index in &given_up.indexes {
            self.open.remove(index);
        }
    }

    fn batch_of(&mut self, lane: usize) -> Option<Batch> {
        let place = self.lanes.get_mut(lane).filter(|place| !place.busy)?;
        let mut batch = Batch { lane, calls: Vec::new(), lines: Vec::new() };
        let mut room = MAX_BATCH_BYTES - BODY_FRAME;
        while let Some(call_id) = place.ready.pop_front() {
            let Some(queue) = self.calls.get(&call_id) else { continue };
            let before = batch.lines.len();
            for event in &queue.events {
                let fits = event.line.len() < room || batch.lines.is_empty();
                if batch.lines.len() >= place.limit || !fits {
                    break;
                }
                room = room.saturating_sub(event.line.len() + 1);
                batch.lines.push(event.line.clone());
            }
            let sent = batch.lines.len() - before;
            if sent == 0 {
                place.ready.push_front(call_id);
                break;
            }
            batch.calls.push((call_id, sent));
        }
        place.busy = !batch.lines.is_empty();
        place.busy.then_some(batch)
    }

    /// Drops the call's events before `next_seq`; how many.
    fn acknowledge(&mut self, call_id: &str, next_seq: u64) -> usize {
        let Some(queue) = self.calls.get_mut(call_id) else { return 0 };
        let mut taken = 0;
        while let Some(event) = queue.events.pop_front_if(|event| event.seq < next_seq) {
            self.open.remove(&event.index);
            self.bytes -= event.line.len();
            taken += 1;
        }
        taken
    }

    /// Takes the call's first events out of the queue.
    fn give_up(&mut self, call_id: &Arc<str>, most: usize, error: String) -> Option<GivenUp> {
        let queue = self.calls.get_mut(call_id)?;
        let count = most.min(queue.events.len());
        let mut given_up = GivenUp { call_id: call_id.clone(), lines: Vec::new(), error, indexes: Vec::new() };
        for event in queue.events.drain(..count) {
            self.bytes -= event.line.len();
            given_up.lines.push(event.line);
            given_up.indexes.push(event.index);
        }
        if queue.events.is_empty() {
            self.calls.remove(call_id);
        }
        Some(given_up)
    }

    fn make_ready(&mut self, call_id: Arc<str>) {
        let lane = self.calls.get(&call_id).map(|queue| queue.lane);
        if let Some(lane) = lane.and_then(|lane| self.lanes.get_mut(lane)) {
            lane.ready.push_back(call_id);
        }
    }

    fn hold(&mut self, call_id: Arc<str>, now: Instant) {
        let Some(queue) = self.calls.get_mut(&call_id) else { return };
        let pauses = queue.pauses.get_or_insert_with(|| self.pauses.build());
        let until = now + pauses.next().unwrap_or_default();
        self.held.insert((until, call_id));
    }

    fn release(&mut self, now: Instant) {
        while self.held.first().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, call_id)) = self.held.pop_first() {
                self.make_ready(call_id);
            }
        }
    }
}

fn lane_of(call_id: &str) -> usize {
    crc32fast::hash(call_id.as_bytes()) as usize % LANES
}

#[cfg(test)]
mod tests;
