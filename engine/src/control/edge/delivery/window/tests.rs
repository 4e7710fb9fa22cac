//! What goes into a batch, and what receipts, errors and gaps do to a call's events.
//! Nothing here runs outside tests.

use std::time::Duration;

use edge_protocol::delivery::CallReceipt;

use super::*;
use crate::backoff::pauses;
use crate::control::spool::{Line, SegmentId};

fn at(offset: u64) -> Position {
    Position { segment: SegmentId::parse("2026-01-31-0001").unwrap(), offset }
}

/// A window that read these events, one a position, each line of `bytes` bytes.
fn window(events: &[(&str, u64)], bytes: usize) -> Window {
    let mut window = Window::new(pauses(Duration::from_secs(1), Duration::from_secs(1)));
    for (n, (call_id, seq)) in events.iter().enumerate() {
        let line = Line { start: at(n as u64), end: at(n as u64 + 1), bytes: vec![b'x'; bytes].into() };
        assert_eq!(window.push(Fact { line, event: Ok(((*call_id).to_owned(), *seq)) }), None);
    }
    window
}

fn receipt(calls: &[(&str, u64, bool)]) -> BatchReceipt {
    let receipts = calls.iter().map(|(call_id, next_seq, failed)| CallReceipt {
        call_id: (*call_id).to_owned(),
        next_seq: *next_seq,
        error: failed.then(|| "away".to_owned()),
    });
    BatchReceipt { receipts: receipts.collect() }
}

#[test]
fn a_batch_is_no_larger_than_the_edge_takes() {
    let many: Vec<_> = (0..1200).map(|seq| ("a", seq)).collect();
    let mut few_bytes = window(&many, 10);
    assert_eq!(few_bytes.next_batch(Instant::now()).unwrap().lines.len(), MAX_BATCH_EVENTS);
    let mut large = window(&many[..10], 300 * 1024);
    let batch = large.next_batch(Instant::now()).unwrap();
    assert_eq!(batch.lines.len(), 3);
    assert!(super::super::body("node", &batch.lines).len() <= MAX_BATCH_BYTES);
}

#[test]
fn a_call_has_one_batch_under_way_at_a_time() {
    let mut window = window(&[("a", 0)], 10);
    let now = Instant::now();
    let batch = window.next_batch(now).unwrap();
    let line = Line { start: at(1), end: at(2), bytes: Bytes::from_static(b"x") };
    window.push(Fact { line, event: Ok(("a".to_owned(), 1)) });
    assert!(window.next_batch(now).is_none());
    assert_eq!(window.received(batch, &receipt(&[("a", 1, false)]), now).acknowledged, 1);
    assert_eq!(window.next_batch(now).unwrap().lines.len(), 1);
}

#[test]
fn a_call_that_is_stuck_keeps_the_cursor_but_holds_up_nobody() {
    let mut window = window(&[("a", 0), ("b", 0), ("b", 1)], 10);
    let now = Instant::now();
    while let Some(batch) = window.next_batch(now) {
        window.received(batch, &receipt(&[("a", 0, true), ("b", 2, false)]), now);
    }
    assert_eq!(window.delivered_to(), Some(at(0)));
    let release = window.next_release().unwrap();
    assert!(release > now && window.next_batch(now).is_none());
    let batch = window.next_batch(release).unwrap();
    assert_eq!(window.received(batch, &receipt(&[("a", 1, false)]), release).acknowledged, 1);
    assert_eq!(window.delivered_to(), Some(at(3)));
}

#[test]
fn a_call_the_receipt_does_not_name_is_tried_again() {
    let mut window = window(&[("a", 0)], 10);
    let now = Instant::now();
    let batch = window.next_batch(now).unwrap();
    assert_eq!(window.received(batch, &receipt(&[]), now).acknowledged, 0);
    assert!(window.next_release().is_some());
}

#[test]
fn events_after_a_gap_that_stays_are_given_up() {
    let mut window = window(&[("a", 5), ("a", 6)], 10);
    let mut now = Instant::now();
    let given_up = loop {
        let batch = window.next_batch(now).unwrap();
        let outcome = window.received(batch, &receipt(&[("a", 3, false)]), now);
        if let Some(given_up) = outcome.given_up.into_iter().next() {
            break given_up;
        }
        now = window.next_release().unwrap();
    };
    assert!(given_up.lines.len() == 2 && given_up.error.contains("event 3"), "{given_up:?}");
    assert_eq!(window.delivered_to(), Some(at(0)));
    window.settle(&given_up);
    assert_eq!(window.delivered_to(), Some(at(2)));
}

#[test]
fn halves_lead_to_the_event_that_is_never_taken() {
    let events: Vec<_> = (0..100).map(|seq| ("a", seq)).collect();
    let mut window = window(&events, 10);
    let now = Instant::now();
    let mut taken = 0;
    let mut tries = 0;
    let given_up = loop {
        let batch = window.next_batch(now).unwrap();
        tries += 1;
        let sent = batch.lines.len() as u64;
        if taken + sent <= 41 {
            taken += sent;
            window.received(batch, &receipt(&[("a", taken, false)]), now);
        } else if sent > 1 {
            window.halve(batch);
        } else {
            break window.never(batch, "bad".to_owned()).unwrap();
        }
    };
    assert_eq!(given_up.lines.len(), 1);
    assert!(taken == 41 && tries < 30, "{tries}");
}
