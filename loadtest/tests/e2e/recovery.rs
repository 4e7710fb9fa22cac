//! A node that dies in the middle of a call: what was said is not lost.

use std::time::{Duration, Instant};

use edge_protocol::EventKind;

use crate::baresip::{Phone, Sound, say};
use crate::process::POLL;
use crate::stack::Stack;

#[tokio::test]
async fn a_call_cut_by_kill_9_has_its_recording_after_the_next_start() {
    let mut stack = Stack::start(1).await.expect("Kamailio and a node");
    let mut events = stack.nodes[0].events().await.expect("the node's events");
    let question = say(stack.dir.path(), "what are your opening hours", 3, 30).expect("a question");
    let agent = format!("sip:agent@127.0.0.1:{}", stack.port);
    let _phone = Phone::dial(stack.dir.path(), &agent, &question).expect("a phone");
    let started = |event: &EventKind| matches!(event, EventKind::CallStarted { .. });
    events.until("start of the call", Duration::from_secs(10), started).await.expect("the call starts");
    let answered = Instant::now();

    tokio::time::sleep(Duration::from_secs(7)).await;
    let talked = answered.elapsed();
    stack.nodes[0].process.kill().expect("the node is killed");
    assert!(stack.nodes[0].recordings().is_empty(), "the recording is made after the call");
    stack.nodes[0].restart().await.expect("the node starts again on what it left");

    let deadline = Instant::now() + Duration::from_secs(10);
    while stack.nodes[0].recordings().is_empty() && Instant::now() < deadline {
        tokio::time::sleep(POLL).await;
    }
    let recordings = stack.nodes[0].recordings();
    assert_eq!(recordings.len(), 1, "one call, one recording");
    let caller = Sound::channel(&recordings[0], 0).expect("the caller's channel");
    let agent = Sound::channel(&recordings[0], 1).expect("the agent's channel");
    assert!(
        caller.duration() + Duration::from_secs(1) >= talked,
        "{:?} of {talked:?} were recovered",
        caller.duration()
    );
    for (who, channel) in [("caller", &caller), ("agent", &agent)] {
        let speech = channel.speech_between(Duration::ZERO, channel.duration());
        assert!(speech > Duration::from_millis(500), "{speech:?} of the {who}'s speech were recovered");
    }
}
