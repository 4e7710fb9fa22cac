//! Which calls are live, who is told to hang up, and who is not.
//! Nothing here runs outside tests.

use super::*;
use edge_protocol::TransferMode;
use futures::StreamExt;

fn call(id: &str) -> LiveCall {
    LiveCall {
        call_id: id.to_owned(),
        direction: Direction::Outbound,
        state: CallState::Dialling,
        from: String::new(),
        to: String::new(),
        agent: String::new(),
        started_at_ms: 1,
    }
}

#[tokio::test]
async fn a_live_call_is_told_to_hang_up_and_a_call_that_is_gone_is_not() {
    let calls = LiveCalls::default();
    let mut told = calls.add(call("a")).expect("a new id");
    assert!(calls.add(call("a")).is_none(), "an id names one call");
    assert!(calls.hang_up("a", EndCause::EndedByEdge));
    assert!(calls.hang_up("a", EndCause::NodeStopped));
    assert_eq!(told.to_end.next().await, Some(EndCause::EndedByEdge));
    assert!(!calls.hang_up("b", EndCause::EndedByEdge));
    calls.remove("a");
    assert!(!calls.hang_up("a", EndCause::EndedByEdge));
}

#[test]
fn a_calls_facts_tell_how_it_stands() {
    let calls = LiveCalls::default();
    let _told = calls.add(call("a")).expect("a new id");
    let with = || "b".to_owned();
    let facts = [
        (EventKind::Ringing { code: 180 }, CallState::Ringing),
        (EventKind::Answered, CallState::Talking),
        (EventKind::SpeechStarted { turn: 1 }, CallState::Talking),
        (EventKind::MediaChanged { codec: String::new(), on_hold: true }, CallState::Held),
        (EventKind::MediaChanged { codec: String::new(), on_hold: false }, CallState::Talking),
        (EventKind::TransferStarted { to: with(), mode: TransferMode::Bridge }, CallState::Transferring),
        (EventKind::Bridged { with: with() }, CallState::Bridged),
        (EventKind::Unbridged { with: with() }, CallState::Talking),
    ];
    for (kind, state) in facts {
        let event = CallEvent { v: 1, call_id: "a".to_owned(), seq: 0, call_started_at_ms: 1, at_ms: 0, kind };
        calls.note(&event);
        assert_eq!(calls.get("a").expect("it is live").state, state, "{:?}", event.kind);
    }
}
