//! `loadtest talk` against a node, over SIP and over Twilio's dialect: a few of each, and a report of them.
//! What the numbers have to be is measured by hand, on a machine that has nothing else to do.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::node::{Settings, binary};
use crate::process::Process;
use crate::websocket::Served;

/// 9 s of voice, longer than everything that is said over it.
const STORY: &str = "We are open from nine in the morning to six in the evening on every day of the week, and on Sundays \
    until four, and we would be very glad to see you in our shop.";

async fn talk(served: &Served, target: &str) -> Value {
    let dir = tempfile::tempdir().expect("a directory");
    let (json, html) = (dir.path().join("talk.json"), dir.path().join("talk.html"));
    let mut command = Command::new(binary("loadtest", "LOADTEST_BIN").expect("the loadtest binary"));
    command.args(["talk", "--target", target, "--callers", "5", "--most", "2"]);
    command.arg("--json").arg(&json).arg("--html").arg(&html);
    let mut process = Process::spawn("talk", &mut command, dir.path()).expect("loadtest");
    let status = process.ended(Duration::from_secs(150)).await.expect("its end");
    assert!(status.success(), "{status}: {}", process.output());
    let page = std::fs::read_to_string(html).expect("a page");
    assert!(page.matches("<svg").count() >= 3, "{page}");
    served.node.until_idle(Duration::from_secs(15)).await.expect("no call is left");
    serde_json::from_slice(&std::fs::read(json).expect("a report")).expect("JSON")
}

fn is_plausible(report: &Value) {
    let number =
        |path: &str| report.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {report}"));
    assert_eq!(number("/calls"), 10.0);
    // Not sooner than the stub's 300 ms without the silence, which is waited for meanwhile.
    assert!((300.0..3000.0).contains(&number("/caller_heard/p50_ms")), "{report}");
    assert!(number("/barge_in_stop/max_ms") > 0.0 && number("/barge_in_stop/max_ms") < 3000.0, "{report}");
    assert_eq!((number("/stopped/some"), number("/stopped/of")), (2.0, 2.0), "{report}");
    assert_eq!((number("/word_ended/of"), number("/sound_ended/of")), (2.0, 2.0), "{report}");
    assert!(number("/media/lateness/count") > 100.0, "{report}");
    assert!(number("/reply_ms") > 8000.0, "{report}");
}

#[tokio::test]
async fn a_node_is_talked_to_over_sip_and_over_twilios_dialect() {
    let served = Served::start("", STORY, Settings::new()).await.expect("a node");
    for target in
        [format!("sip:agent@127.0.0.1:{}", served.node.sip), format!("ws://127.0.0.1:{}/ws/twilio", served.node.http)]
    {
        is_plausible(&talk(&served, &target).await);
    }
}

#[tokio::test]
async fn an_agent_that_does_not_answer_is_named() {
    let mut command = Command::new(binary("loadtest", "LOADTEST_BIN").expect("the loadtest binary"));
    command.args(["talk", "--target", "ws://127.0.0.1:9/ws/twilio", "--most", "1"]);
    let dir = tempfile::tempdir().expect("a directory");
    let mut process = Process::spawn("talk", &mut command, dir.path()).expect("loadtest");
    let status = process.ended(Duration::from_secs(30)).await.expect("its end");
    assert_eq!(status.code(), Some(2));
    assert!(process.output().contains("ws://127.0.0.1:9/ws/twilio"), "{}", process.output());
}
