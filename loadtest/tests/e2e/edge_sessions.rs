//! `loadtest edge`: many clients of `/ws/call-session` at once, relayed to a stand-in node and back.
//! A conversation with a real node is `edge_session`'s.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::edge::{ENGINE_SECRET, Edge};
use crate::node::binary;

#[tokio::test]
async fn sessions_are_opened_held_and_ended_and_their_audio_timed() {
    let dir = tempfile::tempdir().expect("a directory");
    let edge = Edge::start(dir.path()).await.expect("the edge");
    let token = edge.token().await.expect("a token");
    let account = edge.get(&token, "/v1/account").await.expect("the account");
    let path = format!("/v1/admin/accounts/{}", account["account_id"].as_str().expect("its id"));
    let room = json!({ "max_calls": 30, "requests_per_minute": 10_000 });
    edge.admin(reqwest::Method::PATCH, &path, &room).await.expect("room for all");
    let report = dir.path().join("report.json");
    let run = Command::new(binary("loadtest", "LOADTEST_BIN").expect("the loadtest binary"))
        .args(["edge", "--url", &edge.url, "--token", &token, "--echo", ENGINE_SECRET, "--sessions", "20"])
        .args(["--rate", "20", "--hold", "2s", "--every", "500ms", "--json"])
        .arg(&report)
        .output();
    let run = run.await.expect("loadtest");
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    let report: Value = serde_json::from_slice(&std::fs::read(&report).expect(&said)).expect("JSON");
    assert_eq!(report["sessions"], 20, "{said}");
    assert_eq!(report["failed"], 0, "{said}");
    assert_eq!(report["setup"]["count"], 20, "{said}");
    assert!(report["round_trip"]["count"].as_u64() >= Some(40), "{said}");
    // All are over, at the edge too.
    let over = |calls: &Value| {
        calls["calls"].as_array().is_some_and(|calls| calls.iter().all(|call| call["status"] != "live"))
    };
    edge.until(&token, "/v1/calls", "the sessions' end", over).await.expect("no call is left");
}
