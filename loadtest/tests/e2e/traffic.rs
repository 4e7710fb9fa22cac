//! Calls by the hundred from SIPp, through Kamailio to two nodes, with and without a node's death.

use std::process::Command;
use std::time::Duration;

use edge_protocol::EventKind;

use crate::node::Settings;
use crate::sipp::{Sipp, UAC, UAC_PCAP, calls, may_play_captures};
use crate::stack::Stack;

/// After the last BYE a node may take this long to have forgotten its calls.
const FORGOTTEN_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn five_hundred_short_calls_all_succeed_and_none_stays_behind() {
    let stack = Stack::start(2).await.expect("Kamailio and two nodes");
    let tally = calls("uac", stack.dir.path(), UAC, stack.port, 500, 50).await.expect("SIPp");
    assert_eq!((tally.successful, tally.failed), (500, 0), "{}", tally.errors);
    for node in &stack.nodes {
        node.until_idle(FORGOTTEN_WITHIN).await.expect("all calls are over");
        assert!(node.calls_ended().await.expect("metrics") >= 200.0, "{} had its share", node.name);
    }
}

#[tokio::test]
async fn five_hundred_calls_with_speech_and_dtmf_all_succeed_and_none_stays_behind() {
    if !may_play_captures() {
        eprintln!("not run: SIPp plays captures over raw sockets, which takes root or CAP_NET_RAW");
        return;
    }
    let stack = Stack::start(2).await.expect("Kamailio and two nodes");
    let tally = calls("uac_pcap", stack.dir.path(), UAC_PCAP, stack.port, 500, 50).await.expect("SIPp");
    assert_eq!((tally.successful, tally.failed), (500, 0), "{}", tally.errors);
    for node in &stack.nodes {
        node.until_idle(FORGOTTEN_WITHIN).await.expect("all calls are over");
    }
}

#[tokio::test]
async fn with_one_node_killed_new_calls_go_on() {
    let mut stack = Stack::start(2).await.expect("Kamailio and two nodes");
    let during = Sipp::start("during", stack.dir.path(), UAC, stack.port, 250, 50).expect("SIPp");
    tokio::time::sleep(Duration::from_secs(2)).await;
    stack.nodes[0].process.kill().expect("the node is killed");
    let during = during.finished().await.expect("SIPp");
    // Calls the dead node had answered and not yet ended are lost with it; there are 50 a second, some ms long.
    assert!(during.failed <= 3, "{} of 250 failed: {}", during.failed, during.errors);

    let after = calls("after", stack.dir.path(), UAC, stack.port, 250, 50).await.expect("SIPp");
    assert_eq!((after.successful, after.failed), (250, 0), "{}", after.errors);

    stack.nodes[0].restart().await.expect("the node starts again");
    let again = calls("again", stack.dir.path(), UAC, stack.port, 50, 50).await.expect("SIPp");
    assert_eq!((again.successful, again.failed), (50, 0), "{}", again.errors);
}

#[tokio::test]
async fn once_all_nodes_were_silent_for_a_moment_the_next_call_is_tried_all_the_same() {
    let control = tempfile::tempdir().expect("a directory");
    let control = format!("unix:{}/control", control.path().display());
    let front = [format!("CONTROL_SOCKET=\"{control}\"")];
    let stack = Stack::start_behind(2, &Settings::new(), &front).await.expect("Kamailio and two nodes");
    // Pings would find out by themselves, in their own time.
    let silenced = Command::new("/usr/sbin/kamcmd").args(["-s", &control, "dispatcher.ping_active", "0"]).status();
    assert!(silenced.expect("kamcmd").success());

    stack.nodes.iter().for_each(|node| node.process.signal("STOP").expect("a running node"));
    let unheard = calls("unheard", stack.dir.path(), UAC, stack.port, 1, 1).await.expect("SIPp");
    stack.nodes.iter().for_each(|node| node.process.signal("CONT").expect("a stopped node"));
    assert_eq!(unheard.failed, 1, "nobody answers");

    let next = calls("next", stack.dir.path(), UAC, stack.port, 1, 1).await.expect("SIPp");
    assert_eq!((next.successful, next.failed), (1, 0), "{}", next.errors);
}

#[tokio::test]
async fn headers_of_the_carrier_reach_the_call() {
    let stack = Stack::start(1).await.expect("Kamailio and a node");
    let mut events = stack.nodes[0].events().await.expect("the node's events");
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/x_headers.xml");
    let tally = calls("x_headers", stack.dir.path(), &["-sf", scenario], stack.port, 1, 1).await.expect("SIPp");
    assert_eq!((tally.successful, tally.failed), (1, 0), "{}", tally.errors);
    let started = |event: &EventKind| matches!(event, EventKind::CallStarted { .. });
    let event = events.until("start of the call", Duration::from_secs(5), started).await.expect("the call started");
    let EventKind::CallStarted { headers, .. } = event.kind else { unreachable!() };
    for (name, value) in [("X-Account", "42"), ("X-Campaign", "winter; \"2026\"")] {
        let found = headers.iter().any(|(its, text)| its.eq_ignore_ascii_case(name) && text == value);
        assert!(found, "{name}: {value} among {headers:?}");
    }
}
