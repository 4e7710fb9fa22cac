//! Delivery from a real spool to an edge that loses, doubles, fails and forgets to answer, over crashes of the node.
//! Time is virtual but for what disks need; nothing here runs outside tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use edge_protocol::delivery::{CallReceipt, EventBatch, MAX_BATCH_EVENTS};
use edge_protocol::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, verify};
use edge_protocol::{CallEvent, EventKind};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::control::SpoolConfig;

const EVER: Duration = Duration::from_secs(100_000);

/// What an edge does to a batch before it answers.
type Mood = fn(&mut Model, &EventBatch) -> Option<EdgeError>;

/// An edge that applies each event once, in order.
struct Model {
    calls: BTreeMap<String, Vec<CallEvent>>,
    batches: usize,
    random: u64,
    mood: Mood,
    /// Share of calls in 256 that fail or stop half-way, and whether answers are lost.
    trouble: u64,
}

#[derive(Clone)]
struct FakeEdge(Arc<Mutex<Model>>);

impl FakeEdge {
    fn new(mood: Mood) -> Self {
        Self(Arc::new(Mutex::new(Model { calls: BTreeMap::new(), batches: 0, random: 1, mood, trouble: 0 })))
    }

    fn becomes(&self, mood: Mood) {
        self.0.lock().unwrap().mood = mood;
    }

    fn batches(&self) -> usize {
        self.0.lock().unwrap().batches
    }

    fn applied(&self) -> BTreeMap<String, Vec<CallEvent>> {
        self.0.lock().unwrap().calls.clone()
    }
}

impl Model {
    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) >> 8
    }

    fn in_trouble(&mut self) -> bool {
        self.random() % 256 < self.trouble
    }

    fn apply(&mut self, batch: EventBatch) -> BatchReceipt {
        assert!(batch.events.len() <= MAX_BATCH_EVENTS && batch.node == "node-1");
        let mut failed = BTreeSet::new();
        let named: BTreeSet<String> = batch.events.iter().map(|event| event.call_id.clone()).collect();
        for event in batch.events {
            if failed.contains(&event.call_id) || self.in_trouble() {
                failed.insert(event.call_id);
                continue;
            }
            let call = self.calls.entry(event.call_id.clone()).or_default();
            if event.seq == call.len() as u64 {
                call.push(event);
            }
        }
        let mut receipts = Vec::new();
        for call_id in named {
            let next_seq = self.calls.get(&call_id).map_or(0, Vec::len) as u64;
            let error = failed.contains(&call_id).then(|| "not reachable".to_owned());
            if !self.in_trouble() {
                receipts.push(CallReceipt { call_id, next_seq, error });
            }
        }
        BatchReceipt { receipts }
    }
}

impl Courier for FakeEdge {
    fn deliver(&self, batch: Bytes) -> BoxFuture<'static, Result<BatchReceipt, EdgeError>> {
        let model = self.0.clone();
        let batch: EventBatch = serde_json::from_slice(&batch).unwrap();
        async move {
            let pause = model.lock().unwrap().random() % 50;
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let mut model = model.lock().unwrap();
            model.batches += 1;
            if let Some(error) = (model.mood)(&mut model, &batch) {
                return Err(error);
            }
            let receipt = model.apply(batch);
            if model.in_trouble() { Err(away()) } else { Ok(receipt) }
        }
        .boxed()
    }

    fn node(&self) -> &str {
        "node-1"
    }
}

fn away() -> EdgeError {
    EdgeError::Unreachable { url: "edge".to_owned(), reason: "gone".to_owned() }
}

fn refused(status: u16, retry_after: Option<u64>) -> EdgeError {
    let retry_after = retry_after.map(Duration::from_secs);
    EdgeError::Refused { url: "edge".to_owned(), status, code: "c".to_owned(), message: "m".to_owned(), retry_after }
}

fn event(call: u64, seq: u64) -> CallEvent {
    let kind = EventKind::PromptStarted { text: "x".repeat((seq % 7) as usize * 20) };
    CallEvent { v: VERSION, call_id: format!("call-{call}"), seq, call_started_at_ms: 1, at_ms: seq, kind }
}

/// A spool whose events were all written with an edge.
fn open(dir: &TempDir) -> EventSpool {
    let cursor = dir.path().join("delivered.json");
    if !cursor.exists() {
        fs::write(cursor, r#"{"v":1,"segment":"2020-01-01-0001","offset":0}"#).unwrap();
    }
    EventSpool::open(SpoolConfig { segment_bytes: 2000, ..SpoolConfig::new(dir.path()) }).unwrap().0
}

async fn publish(spool: &EventSpool, events: impl IntoIterator<Item = CallEvent>) {
    for event in events {
        spool.publish(event).unwrap();
    }
    spool.flush().await.unwrap();
}

async fn start(edge: &FakeEdge, spool: &EventSpool) -> Delivery {
    Delivery::start(edge.clone(), spool, 7).await.unwrap()
}

/// As `kill -9` would end it.
async fn crash(delivery: Delivery) {
    delivery.task.abort();
    let _ = delivery.task.await;
}

fn undeliverable(dir: &TempDir) -> Vec<String> {
    let text = fs::read_to_string(dir.path().join("undeliverable.jsonl")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_event_is_applied_once_and_in_order_whatever_fails(seed: u64, trouble in 0_u64..100, calls in 1_u64..40) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let dir = TempDir::new().unwrap();
            let edge = FakeEdge::new(|model, _| match model.random() % 12 {
                0 => Some(away()),
                1 => Some(refused(500, None)),
                2 => Some(refused(429, Some(2))),
                3 => Some(refused(401, None)),
                _ => None,
            });
            {
                let mut model = edge.0.lock().unwrap();
                (model.random, model.trouble) = (seed, trouble);
            }
            let mut next = vec![0_u64; calls as usize];
            let mut spool = open(&dir);
            let mut delivery = start(&edge, &spool).await;
            for _ in 0..12 {
                let chosen: Vec<u64> = (0..60).map(|_| edge.0.lock().unwrap().random() % calls).collect();
                let events = chosen.into_iter().map(|call| {
                    let seq = &mut next[call as usize];
                    *seq += 1;
                    event(call, *seq - 1)
                });
                publish(&spool, events.collect::<Vec<_>>()).await;
                let pause = edge.0.lock().unwrap().random() % 700;
                tokio::time::sleep(Duration::from_millis(pause)).await;
                let fate = edge.0.lock().unwrap().random() % 4;
                match fate {
                    0 => {
                        crash(delivery).await;
                        delivery = start(&edge, &spool).await;
                    }
                    1 => {
                        delivery.finish(Duration::from_millis(pause)).await;
                        drop(spool);
                        spool = open(&dir);
                        delivery = start(&edge, &spool).await;
                    }
                    _ => {}
                }
            }
            let progress = delivery.progress();
            delivery.finish(EVER).await;
            prop_assert_eq!(progress.waiting(), 0);
            let expected: BTreeMap<String, Vec<CallEvent>> = (0..calls)
                .filter(|call| next[*call as usize] > 0)
                .map(|call| (format!("call-{call}"), (0..next[call as usize]).map(|seq| event(call, seq)).collect()))
                .collect();
            prop_assert_eq!(edge.applied(), expected);
            prop_assert_eq!(undeliverable(&dir), Vec::<String>::new());
            Ok(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_delivered_is_not_sent_again_after_a_restart_and_the_rest_is() {
    let dir = TempDir::new().unwrap();
    let edge = FakeEdge::new(|_, _| None);
    let spool = open(&dir);
    let delivery = start(&edge, &spool).await;
    publish(&spool, (0..100).map(|seq| event(1, seq))).await;
    delivery.finish(EVER).await;
    let batches = edge.batches();

    let delivery = start(&edge, &spool).await;
    assert_eq!(delivery.progress().waiting(), 0);
    delivery.finish(EVER).await;
    assert_eq!(edge.batches(), batches);

    publish(&spool, (100..130).map(|seq| event(1, seq))).await;
    drop(spool);
    let spool = open(&dir);
    let delivery = start(&edge, &spool).await;
    assert!(delivery.progress().waiting() <= 30);
    delivery.finish(EVER).await;
    assert_eq!(edge.applied()["call-1"].len(), 130);
}

#[tokio::test(start_paused = true)]
async fn events_from_before_there_was_an_edge_stay_here() {
    let dir = TempDir::new().unwrap();
    let edge = FakeEdge::new(|_, _| None);
    let spool = open(&dir);
    fs::remove_file(dir.path().join("delivered.json")).unwrap();
    publish(&spool, (0..10).map(|seq| event(1, seq))).await;
    let delivery = start(&edge, &spool).await;
    publish(&spool, (0..10).map(|seq| event(2, seq))).await;
    crash(delivery).await;
    start(&edge, &spool).await.finish(EVER).await;
    assert_eq!(edge.applied().into_keys().collect::<Vec<_>>(), ["call-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_makes_no_sense_costs_a_delivery_but_no_event() {
    for text in ["", "{}", r#"{"v":1,"segment":"yesterday","offset":0}"#] {
        let dir = TempDir::new().unwrap();
        let edge = FakeEdge::new(|_, _| None);
        let spool = open(&dir);
        publish(&spool, (0..50).map(|seq| event(1, seq))).await;
        start(&edge, &spool).await.finish(EVER).await;
        fs::write(dir.path().join("delivered.json"), text).unwrap();
        publish(&spool, (50..60).map(|seq| event(1, seq))).await;
        start(&edge, &spool).await.finish(EVER).await;
        assert_eq!(edge.applied()["call-1"].len(), 60);
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_edge_is_away_events_wait_and_are_counted() {
    let dir = TempDir::new().unwrap();
    let edge = FakeEdge::new(|_, _| Some(away()));
    let spool = open(&dir);
    let delivery = start(&edge, &spool).await;
    let progress = delivery.progress();
    publish(&spool, (0..20).map(|seq| event(seq, 0))).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(progress.waiting(), 20);
    assert!((20..200).contains(&edge.batches()), "{}", edge.batches());
    edge.becomes(|_, _| None);
    delivery.finish(EVER).await;
    assert_eq!((progress.waiting(), edge.applied().len()), (0, 20));
}

#[tokio::test(start_paused = true)]
async fn the_edge_is_not_asked_again_before_it_wants_to_be() {
    let dir = TempDir::new().unwrap();
    let edge = FakeEdge::new(|_, _| Some(refused(429, Some(60))));
    let spool = open(&dir);
    let delivery = start(&edge, &spool).await;
    publish(&spool, [event(1, 0)]).await;
    while edge.batches() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(edge.batches(), 1);
    edge.becomes(|_, _| None);
    delivery.finish(EVER).await;
    assert_eq!(edge.applied().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_the_edge_never_takes_is_kept_apart_with_what_follows_it_in_its_call() {
    let dir = TempDir::new().unwrap();
    let edge = FakeEdge::new(|_, batch| {
        let bad = |event: &CallEvent| event.call_id == "call-7" && event.seq == 3;
        batch.events.iter().any(bad).then(|| refused(400, None))
    });
    let spool = open(&dir);
    publish(&spool, (0..200).map(|n| event(n % 20, n / 20))).await;
    let delivery = start(&edge, &spool).await;
    let progress = delivery.progress();
    delivery.finish(EVER).await;
    assert_eq!(progress.waiting(), 0);
    let applied = edge.applied();
    for call in 0..20 {
        let expected = if call == 7 { 3 } else { 10 };
        assert_eq!(applied[&format!("call-{call}")].len(), expected, "call {call}");
    }
    let kept = undeliverable(&dir);
    assert_eq!(kept.len(), 7);
    assert!(kept[0].contains("400") && kept[0].contains(r#"\"seq\":3"#), "{}", kept[0]);
    assert!(kept[6].contains("waits for event 3") && kept[6].contains(r#"\"seq\":9"#), "{}", kept[6]);
}

#[tokio::test(start_paused = true)]
async fn an_edge_that_refuses_everything_refuses_us_and_not_our_events() {
    let dir = TempDir::new().unwrap();
    let edge = FakeEdge::new(|_, _| Some(refused(400, None)));
    let spool = open(&dir);
    publish(&spool, (0..100).map(|seq| event(1, seq))).await;
    let delivery = start(&edge, &spool).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!((delivery.progress().waiting(), undeliverable(&dir).len()), (100, 0));
    edge.becomes(|_, _| None);
    delivery.finish(EVER).await;
    assert_eq!(edge.applied()["call-1"].len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_line_is_kept_apart_and_the_rest_is_delivered() {
    let dir = TempDir::new().unwrap();
    let line = |seq| serde_json::to_string(&event(1, seq)).unwrap();
    fs::write(dir.path().join("2026-01-31-0001.jsonl"), format!("{}\ngarbage\n{}\n", line(0), line(1))).unwrap();
    let edge = FakeEdge::new(|_, _| None);
    let spool = open(&dir);
    let delivery = start(&edge, &spool).await;
    let progress = delivery.progress();
    delivery.finish(EVER).await;
    assert_eq!((edge.applied()["call-1"].len(), progress.waiting()), (2, 0));
    assert!(undeliverable(&dir)[0].contains("garbage"));
}

#[tokio::test(start_paused = true)]
async fn old_files_go_once_they_are_delivered_and_not_before() {
    let dir = TempDir::new().unwrap();
    let old = dir.path().join("2020-01-31-0001.jsonl");
    fs::write(&old, format!("{}\n", serde_json::to_string(&event(1, 0)).unwrap())).unwrap();
    let edge = FakeEdge::new(|_, _| Some(away()));
    let spool = open(&dir);
    publish(&spool, [event(1, 1)]).await;
    start(&edge, &spool).await.finish(Duration::from_secs(60)).await;
    assert!(old.exists());
    edge.becomes(|_, _| None);
    start(&edge, &spool).await.finish(EVER).await;
    assert!(!old.exists());
    assert_eq!(edge.applied()["call-1"].len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_takes_no_cursor_gets_room_by_what_the_last_one_lets_go_of() {
    let dir = TempDir::new().unwrap();
    let cursor = dir.path().join("delivered.json");
    fs::write(&cursor, r#"{"v":1,"segment":"2020-02-01-0001","offset":0}"#).unwrap();
    let [delivered, next] = ["2020-01-31-0001.jsonl", "2020-02-01-0001.jsonl"].map(|name| dir.path().join(name));
    for (file, seq) in [(&delivered, 0), (&next, 1)] {
        fs::write(file, format!("{}\n", serde_json::to_string(&event(1, seq)).unwrap())).unwrap();
    }
    let edge = FakeEdge::new(|_, _| None);
    let spool = open(&dir);
    publish(&spool, [event(2, 0)]).await;
    let delivery = start(&edge, &spool).await;
    fs::remove_file(&cursor).unwrap();
    fs::create_dir(&cursor).unwrap();
    delivery.finish(EVER).await;
    assert!(!delivered.exists());
    assert!(next.exists());
}

#[tokio::test]
async fn batches_arrive_signed_over_http() {
    async fn take(State(edge): State<FakeEdge>, headers: HeaderMap, body: Bytes) -> Response {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let stamp: u64 = header(TIMESTAMP_HEADER).unwrap().parse().unwrap();
        if verify(b"s", header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER), &body, stamp).is_err() {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let batch: EventBatch = serde_json::from_slice(&body).unwrap();
        let mut model = edge.0.lock().unwrap();
        Json(model.apply(batch)).into_response()
    }
    let dir = TempDir::new().unwrap();
    let edge = FakeEdge::new(|_, _| None);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = SignedClient::new(&format!("http://{}", listener.local_addr().unwrap()), "s", "node-1").unwrap();
    tokio::spawn(axum::serve(listener, Router::new().route(PATH, post(take)).with_state(edge.clone())).into_future());
    let spool = open(&dir);
    publish(&spool, (0..1500).map(|n| event(n % 30, n / 30))).await;
    Delivery::start(Arc::new(client), &spool, 7).await.unwrap().finish(EVER).await;
    assert!(edge.applied().values().all(|events| events.len() == 50) && edge.applied().len() == 30);
}
