//! Every way a call over the socket ends, and that nothing of it is left.

use std::time::Duration;

use edge_protocol::{EndCause, EventKind};
use serde_json::json;

use super::Served;
use crate::events::Events;
use crate::node::Settings;
use crate::socket::Client;

const SOON: Duration = Duration::from_secs(15);

async fn ended_because(events: &mut Events, expected: EndCause) {
    let ended = |kind: &EventKind| matches!(kind, EventKind::CallEnded { .. });
    let event = events.until("end of the call", SOON, ended).await.expect("the call ends");
    let EventKind::CallEnded { cause, .. } = event.kind else { unreachable!() };
    assert_eq!(cause, expected);
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_nothing() {
    let served = Served::start("", "Yes.", Settings::new()).await.expect("a node");
    let mut events = served.node.events().await.expect("its events");
    for from in ["alice", "bob", "carol"] {
        let (client, _) = Client::dial(served.node.http, from).await.expect("a call");
        drop(client);
        ended_because(&mut events, EndCause::CallerHungUp).await;
    }
    served.node.until_idle(SOON).await.expect("no call holds a place");
    assert_eq!(served.node.recordings().len(), 3);
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_given_up() {
    let served = Served::start("rtp_timeout_s = 2", "Yes.", Settings::new()).await.expect("a node");
    let (mut client, _) = Client::dial(served.node.http, "alice").await.expect("a call");
    client.hush();
    assert_eq!(client.until("ended").await.expect("the end"), json!({"type": "ended", "cause": "rtp_timeout"}));
    assert_eq!(client.closed().await.expect("closed"), Some(1000));
}

#[tokio::test]
async fn an_agent_that_hangs_up_is_heard_to_its_last_word() {
    let agent = "silence_after_ms = 1000\nsilence_prompts = []\ngoodbye = \"Goodbye then.\"";
    let served = Served::start(agent, "Yes.", Settings::new()).await.expect("a node");
    let (mut client, _) = Client::dial(served.node.http, "alice").await.expect("a call");
    assert_eq!(client.until("ended").await.expect("the end"), json!({"type": "ended", "cause": "caller_silent"}));
    assert_eq!(client.kinds(), ["started", "agent_text", "audio", "ended"]);
    // 13 letters of 60 ms, in frames of 20 ms.
    assert!(client.audio(0).len() >= 39, "{} frames of the goodbye", client.audio(0).len());
    assert_eq!(client.closed().await.expect("closed"), Some(1000));
}

#[tokio::test]
async fn a_node_that_is_told_to_stop_keeps_its_call_refuses_others_and_ends_it_when_told_again() {
    let mut served = Served::start("", "Yes.", Settings::new()).await.expect("a node");
    let (mut client, _) = Client::dial(served.node.http, "alice").await.expect("a call");
    let waiting = Client::connect(served.node.http, &[]).await.expect("a socket").expect("an upgrade");
    served.node.process.signal("TERM").expect("SIGTERM");

    let refused = loop {
        match Client::connect(served.node.http, &[]).await.expect("an answer") {
            Ok(too_early) => drop(too_early),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.status, 503);
    assert!(refused.body.starts_with(r#"{"error":{"code":"draining","#), "{}", refused.body);
    // Who was let in before and says only now what it wants comes too late as well.
    let mut waiting = waiting;
    waiting.send(&json!({"type": "start", "v": 1, "call_id": null, "from": "bob", "to": ""}));
    waiting.until("error").await.expect("a refusal");
    assert_eq!(waiting.closed().await.expect("closed"), Some(1012));

    client.say(crate::socket::SPEECH);
    client.until_one("the answer", |m| m["text"] == "Yes.").await.expect("the call goes on");
    served.node.process.signal("TERM").expect("SIGTERM");
    assert_eq!(client.until("ended").await.expect("the end"), json!({"type": "ended", "cause": "node_stopped"}));
    let status = served.node.process.ended(SOON).await.expect("the node ends");
    assert!(status.success(), "{status}");
}
