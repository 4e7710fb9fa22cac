//! A node that cannot write its log: nobody who calls is to notice.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::node::{Node, binary};
use crate::process::Process;

#[tokio::test]
async fn a_node_whose_log_finds_no_room_answers_calls_and_stops_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    answers_and_stops(Path::new("/dev/full"), dir.path()).await;
}

#[tokio::test]
async fn a_node_whose_log_nobody_reads_answers_calls_and_stops_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let unread = dir.path().join("unread");
    assert!(Command::new("mkfifo").arg(&unread).status().expect("mkfifo").success());
    answers_and_stops(&unread, dir.path()).await;
}

async fn answers_and_stops(log: &Path, dir: &Path) {
    let mut node = Node::start_logging_to("node-1", dir, log).await.expect("a node");
    let mut command = Command::new(binary("loadtest", "LOADTEST_BIN").expect("the loadtest binary"));
    command.args(["sip", "--target", &format!("sip:agent@127.0.0.1:{}", node.sip)]);
    command.args(["--calls", "2", "--hold", "1s", "--quiet"]);
    let mut calls = Process::spawn("calls", &mut command, dir).expect("loadtest");
    let status = calls.ended(Duration::from_secs(30)).await.expect("its end");
    assert!(status.success(), "{status}: {}", calls.output());

    node.process.signal("TERM").expect("a running node");
    assert!(node.process.ended(Duration::from_secs(20)).await.expect("it stops").success());
    assert_eq!(node.recordings().len(), 2, "what was said is kept");
}
