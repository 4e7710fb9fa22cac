//! A thousand calls while the edge is killed five times and their nodes twice: every fact arrives once and in order,
//! every recording byte for byte, every call is paid for, and nothing stays held.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use edge_protocol::{CallEvent, EventKind};
use futures::{StreamExt, TryStreamExt, stream};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::edge::Edge;
use crate::sipp::{Sipp, UAC_3_S};
use crate::stack::Stack;

/// From the last call's end until the edge has everything and has done what follows from it: pauses between tries
/// double while one side is away or overloaded.
const DONE_WITHIN: Duration = Duration::from_secs(120);

/// Credits granted for all calls, beside those the account has.
const GRANTED: i64 = 1_000_000_000;

/// Calls looked at together.
const AT_ONCE: usize = 8;

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

/// What the edge made of a call.
struct Known {
    recorded: bool,
    cost_microcredits: i64,
}

/// Waits until the edge has all of a call and has settled it; what it has is what the node wrote.
async fn known(edge: &Edge, token: &str, call_id: &str, facts: &[CallEvent], deadline: Instant) -> Result<Known> {
    let numbers: Vec<u64> = facts.iter().map(|event| event.seq).collect();
    ensure!(numbers == (0..facts.len() as u64).collect::<Vec<_>>(), "in the journal: {numbers:?}");
    let path = format!("/v1/calls/{call_id}");
    let events = |call: &Value| call["events"].as_array().map_or(0, Vec::len);
    let whole = |call: &Value| events(call) >= facts.len() && !call["summary"]["cost_microcredits"].is_null();
    let call = edge.until_by(deadline, token, &path, "all of the call, settled", whole).await?;
    let arrived: Vec<CallEvent> = serde_json::from_value(call["events"].clone())?;
    ensure!(arrived == facts, "arrived: {arrived:?}");
    let recording = facts.iter().find_map(|event| match &event.kind {
        EventKind::RecordingReady { path, .. } => Some(Path::new(path).with_extension("ogg")),
        _ => None,
    });
    if let Some(file) = &recording {
        let link = edge.until_by(deadline, token, &format!("{path}/recording"), "the recording", |_| true).await?;
        let stored = edge.download(link["url"].as_str().context("a link")?).await?;
        ensure!(stored == std::fs::read(file)?, "the recording differs from the node's");
    }
    let cost = call["summary"]["cost_microcredits"].as_i64().context("a cost")?;
    Ok(Known { recorded: recording.is_some(), cost_microcredits: cost })
}

#[tokio::test]
#[ignore = "a minute and a half of deaths: `make test-long`"]
async fn a_thousand_calls_reach_the_edge_once_and_in_order_whoever_dies() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut edge = Edge::start(dir.path()).await.expect("the edge");
    let token = edge.token().await.expect("a token");
    let account = edge.get(&token, "/v1/account").await.expect("the account");
    let had = account["balance"]["total_microcredits"].as_i64().expect("its credits");
    let account = account["account_id"].as_str().expect("its id").to_owned();
    let (patch, path) = (reqwest::Method::PATCH, format!("/v1/admin/accounts/{account}"));
    let room = json!({ "max_calls": 1000, "requests_per_minute": 1_000_000 });
    edge.admin(patch, &path, &room).await.expect("room for all calls");
    let grant = json!({ "reference": "grant_thousand", "microcredits": GRANTED });
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

    let deadline = Instant::now() + DONE_WITHIN;
    let token = edge.token().await.expect("a token");
    let journal = journal(&stack);
    assert!(journal.len() >= 750, "{} calls", journal.len());
    let all = stream::iter(&journal).map(async |(call_id, facts)| {
        known(&edge, &token, call_id, facts, deadline).await.with_context(|| call_id.clone())
    });
    let all: Vec<Known> = all.buffer_unordered(AT_ONCE).try_collect().await.expect("all calls at the edge");
    let recorded = all.iter().filter(|call| call.recorded).count();
    assert!(recorded >= 750, "{recorded} recordings");

    // What was admitted and never began, because a node died before it could answer, is withdrawn.
    let free =
        |account: &Value| account["balance"]["active_calls"] == 0 && account["balance"]["held_microcredits"] == 0;
    let account = edge.until_by(deadline, &token, "/v1/account", "the last hold's release", free).await;
    let total = account.expect("nothing held")["balance"]["total_microcredits"].as_i64().expect("its credits");
    let paid: i64 = all.iter().map(|call| call.cost_microcredits).sum();
    assert_eq!(total, had + GRANTED - paid, "every call is paid for once");
}
