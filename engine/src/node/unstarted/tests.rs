use edge_protocol::Direction;

use super::*;
use crate::call::Tenant;

#[test]
fn a_call_that_never_started_begins_and_ends_for_the_account_it_was_admitted_for() {
    let facts = CallFacts {
        direction: Direction::Inbound,
        from: "sip:a@example.com".to_owned(),
        to: "sip:b@example.com".to_owned(),
        sip_call_id: "1@example.com".to_owned(),
        node: "node-1".to_owned(),
        headers: Vec::new(),
        tenant: Some(Tenant { account_id: "acc".to_owned(), profile_id: "prf".to_owned() }),
        identity: None,
    };
    let unstarted = Unstarted { call_id: "call".to_owned(), asked_at_ms: 7, agent: "desk".to_owned(), facts };
    let [started, ended] = unstarted.into_events();
    assert_eq!((started.seq, ended.seq), (0, 1));
    assert_eq!((started.call_started_at_ms, ended.call_started_at_ms), (7, 7));
    assert_eq!((&*started.call_id, &*ended.call_id), ("call", "call"));
    let EventKind::CallStarted { account_id, profile_id, agent, .. } = started.kind else { panic!("{started:?}") };
    assert_eq!((account_id.as_deref(), profile_id.as_deref(), &*agent), (Some("acc"), Some("prf"), "desk"));
    let EventKind::CallEnded { cause, duration_ms, .. } = ended.kind else { panic!("{ended:?}") };
    assert_eq!((cause, duration_ms), (EndCause::SignallingFailed, 0));
}
