//! Which calls are live, who is told to hang up, and who is not.
//! Nothing here runs outside tests.

use super::*;

fn call(id: &str) -> LiveCall {
    LiveCall { call_id: id.to_owned(), from: String::new(), to: String::new(), agent: String::new(), started_at_ms: 1 }
}

#[tokio::test]
async fn a_live_call_is_told_to_hang_up_and_a_call_that_is_gone_is_not() {
    let calls = LiveCalls::default();
    let mut told = calls.add(call("a")).expect("a new id");
    assert!(calls.add(call("a")).is_none(), "an id names one call");
    assert!(calls.hang_up("a", EndCause::EndedByEdge));
    assert!(calls.hang_up("a", EndCause::NodeStopped));
    assert_eq!(told.recv().await, Some(EndCause::EndedByEdge));
    assert!(!calls.hang_up("b", EndCause::EndedByEdge));
    calls.remove("a");
    assert!(!calls.hang_up("a", EndCause::EndedByEdge));
}
