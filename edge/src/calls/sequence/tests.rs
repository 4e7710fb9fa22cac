#![allow(clippy::unwrap_used, reason = "a test may panic")]

use edge_protocol::{CallEvent, EventKind, VERSION};
use proptest::prelude::*;

use super::following;
use crate::calls::state::CallState;

fn event(seq: u64, text: &str) -> CallEvent {
    let kind = EventKind::PromptStarted { text: text.to_owned() };
    CallEvent { v: VERSION, call_id: "c".into(), seq, call_started_at_ms: 1, at_ms: seq * 20, kind }
}

fn seqs(events: &[CallEvent]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

#[test]
fn older_events_are_ignored_even_if_they_differ() {
    assert_eq!(seqs(&following(2, vec![event(0, "other"), event(1, "other"), event(2, "new")])), [2]);
}

#[test]
fn a_gap_stops() {
    assert_eq!(seqs(&following(0, vec![event(0, "a"), event(2, "c"), event(3, "d")])), [0]);
    assert!(following(1, vec![event(2, "c")]).is_empty());
}

#[test]
fn of_two_with_one_number_the_first_counts() {
    let taken = following(0, vec![event(0, "first"), event(0, "second")]);
    assert_eq!(taken, [event(0, "first")]);
}

proptest! {
    /// Batches are any slices of the journal, in any order, any number of times; at the end all is sent once more from
    /// where the receiver says it is, as a node does.
    #[test]
    fn any_delivery_gives_the_same_call(
        length in 1usize..30,
        slices in prop::collection::vec((0usize..30, 0usize..30, any::<bool>()), 0..40),
    ) {
        let journal: Vec<CallEvent> = (0..length as u64).map(|seq| event(seq, &format!("line {seq}"))).collect();
        let (mut next, mut applied) = (0, Vec::new());
        let mut state = CallState::new("c");
        let mut deliver = |batch: Vec<CallEvent>| {
            for event in following(next, batch) {
                next = event.seq + 1;
                state.apply(&event);
                applied.push(event);
            }
            next
        };
        let mut at = 0;
        for (from, count, backwards) in slices {
            let mut batch: Vec<_> = journal.iter().skip(from % length).take(count).cloned().collect();
            if backwards {
                batch.reverse();
            }
            at = deliver(batch);
        }
        while at < journal.len() as u64 {
            at = deliver(journal.iter().skip(at as usize).take(7).cloned().collect());
        }
        let mut expected = CallState::new("c");
        journal.iter().for_each(|event| expected.apply(event));
        prop_assert_eq!(&applied, &journal);
        prop_assert_eq!(state, expected);
    }
}
