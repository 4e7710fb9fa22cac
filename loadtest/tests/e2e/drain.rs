//! A node that is asked to stop: its calls go on to their end, new ones go elsewhere.

use std::time::Duration;

use edge_protocol::{EndCause, EventKind};

use crate::baresip::{Phone, say};
use crate::sip::until_options_say;
use crate::sipp::{UAC, calls};
use crate::stack::Stack;

#[tokio::test]
async fn a_draining_node_finishes_its_call_and_takes_no_other() {
    let mut stack = Stack::start(2).await.expect("Kamailio and two nodes");
    let dir = stack.dir.path().to_owned();
    let mut events = [
        stack.nodes[0].events().await.expect("the first node's events"),
        stack.nodes[1].events().await.expect("the second node's events"),
    ];
    let question = say(&dir, "what are your opening hours", 12, 10).expect("a question");
    let agent = format!("sip:agent@127.0.0.1:{}", stack.port);
    let _phone = Phone::dial(&dir, &agent, &question).expect("a phone");

    let started = |event: &EventKind| matches!(event, EventKind::CallStarted { .. });
    let [first, second] = &mut events;
    let soon = Duration::from_secs(10);
    let busy = tokio::select! {
        event = first.until("start of the call", soon, started) => { event.expect("the call starts"); 0 }
        event = second.until("start of the call", soon, started) => { event.expect("the call starts"); 1 }
    };

    stack.nodes[busy].process.signal("TERM").expect("SIGTERM");
    until_options_say(stack.nodes[busy].sip, 503, soon).await.expect("a draining node says so");

    let refused = calls("refused", &dir, UAC, stack.nodes[busy].sip, 1, 1).await.expect("SIPp");
    assert_eq!(refused.successful, 0, "a draining node takes no call");
    assert!(refused.errors.contains("SIP/2.0 503"), "the refusal is a 503: {}", refused.errors);
    let elsewhere = calls("elsewhere", &dir, UAC, stack.port, 20, 20).await.expect("SIPp");
    assert_eq!((elsewhere.successful, elsewhere.failed), (20, 0), "{}", elsewhere.errors);

    // All this time the phone's call has been going on: now its question comes, and is answered.
    let answered =
        |event: &EventKind| matches!(event, EventKind::TurnCompleted { heard_text, .. } if !heard_text.is_empty());
    events[busy].until("answer", Duration::from_secs(30), answered).await.expect("the call goes on");
    let ended = |event: &EventKind| matches!(event, EventKind::CallEnded { cause: EndCause::CallerHungUp, .. });
    events[busy].until("end of the call", Duration::from_secs(30), ended).await.expect("the phone hangs up");

    let status = stack.nodes[busy].process.ended(soon).await.expect("with its last call the node ends");
    assert!(status.success(), "{status}");
}
