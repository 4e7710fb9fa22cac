//! A thousand calls while the edge is killed five times and their nodes twice: every fact arrives once and in order,
//! every recording byte for byte.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use edge_protocol::{CallEvent, EventKind};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::edge::Edge;
use crate::sipp::{Sipp, UAC_3_S};
use crate::stack::Stack;

/// From the last call's end until the edge has everything.
const DELIVERED_WITHIN: Duration = Duration::from_secs(150);

/// What a node has on disk of its calls: events by call, in the order they were written.
fn journal(stack: &Stack) -> BTreeMap<String, Vec<CallEvent>> {
    let mut calls: BTreeMap<String, Vec<CallEvent>> = BTreeMap::new();
    for node in &stack.nodes {
        for event in engine::control::replay(&node.data().join("events")).expect("the node's journal") {
            let event = event.expect("an event");
            calls.entry(event.call_id.clone()).or_default().push(event);
        }
    }
    calls
}

/// The edge's events of a call.
async fn known(edge: &Edge, token: &str, call_id: &str) -> Vec<CallEvent> {
    // A call the edge has not heard of yet is 404.
    let Ok(call) = edge.get(token, &format!("/v1/calls/{call_id}")).await else { return Vec::new() };
    serde_json::from_value(call["events"].clone()).expect("events the contract knows")
}

#[tokio::test]
#[ignore = "three minutes of deaths, and settlement of a call may wait for an alarm's back-off: run it by name, on a quiet machine"]
async fn a_thousand_calls_reach_the_edge_once_and_in_order_whoever_dies() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut edge = Edge::start(dir.path()).await.expect("the edge");
    let token = edge.token().await.expect("a token");
    let account = edge.get(&token, "/v1/account").await.expect("the account");
    let account = account["account_id"].as_str().expect("its id").to_owned();
    let (patch, path) = (reqwest::Method::PATCH, format!("/v1/admin/accounts/{account}"));
    edge.admin(patch, &path, &json!({ "max_calls": 1000 })).await.expect("room for all calls");
    let grant = json!({ "reference": "grant_thousand", "microcredits": 1_000_000_000 });
    edge.admin(reqwest::Method::POST, &format!("{path}/grants"), &grant).await.expect("credits for all calls");

    let mut stack = Stack::start_with(2, &edge.settings()).await.expect("Kamailio and two nodes");
    let calls = Sipp::start("thousand", stack.dir.path(), UAC_3_S, stack.port, 1000, 20).expect("SIPp");
    // 50 s of calls, and a death about every six.
    let mut random = StdRng::seed_from_u64(7);
    for death in 0..7 {
        tokio::time::sleep(Duration::from_millis(random.random_range(3_000..9_000))).await;
        if death == 2 || death == 5 {
            let node = &mut stack.nodes[random.random_range(0..2)];
            node.process.kill().expect("a node is killed");
            node.restart().await.expect("it starts again");
        } else {
            edge.kill().expect("the edge is killed");
            tokio::time::sleep(Duration::from_millis(random.random_range(0..1_500))).await;
            edge.restart().await.expect("it starts again");
        }
    }
    let tally = calls.finished().await.expect("SIPp");
    // A node's death costs the calls it holds, three seconds of them; the edge's costs none.
    assert!(tally.successful >= 750, "{} of 1000: {}", tally.successful, tally.errors);
    for node in &stack.nodes {
        node.until_idle(Duration::from_secs(10)).await.expect("all calls are over");
    }

    let deadline = Instant::now() + DELIVERED_WITHIN;
    let token = edge.token().await.expect("a token");
    let mut recorded = 0;
    let journal = journal(&stack);
    assert!(journal.len() >= 750, "{} calls", journal.len());
    for (call_id, facts) in &journal {
        let numbers: Vec<u64> = facts.iter().map(|event| event.seq).collect();
        assert_eq!(numbers, (0..facts.len() as u64).collect::<Vec<_>>(), "{call_id} in the journal");
        let mut arrived = known(&edge, &token, call_id).await;
        while arrived.len() < facts.len() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(200)).await;
            arrived = known(&edge, &token, call_id).await;
        }
        assert_eq!(&arrived, facts, "{call_id}");
        let Some(path) = facts.iter().find_map(|event| match &event.kind {
            EventKind::RecordingReady { path, .. } => Some(std::path::Path::new(path).with_extension("ogg")),
            _ => None,
        }) else {
            continue;
        };
        let link = loop {
            match edge.get(&token, &format!("/v1/calls/{call_id}/recording")).await {
                Ok(answer) => break answer["url"].as_str().expect("a link").to_owned(),
                Err(error) => assert!(Instant::now() < deadline, "{call_id} has no recording: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        let stored = edge.download(&link).await.expect("the recording");
        assert_eq!(stored, std::fs::read(&path).expect("the node's copy"), "{call_id}");
        recorded += 1;
    }
    assert!(recorded >= 750, "{recorded} recordings");

    // Paid for, every one of them. What was admitted by a node that died before it could answer stays held until it expires.
    for call_id in journal.keys() {
        let settled = |call: &Value| !call["summary"]["cost_microcredits"].is_null();
        edge.until_call(&token, call_id, settled).await.expect("a settled call");
    }
}
