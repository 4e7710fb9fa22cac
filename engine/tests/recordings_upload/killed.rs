//! The same with SIGKILL: the node is this test's own binary, started again and again on one directory.
//! What is asserted is the edge's side and the directory's.

use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

const DIR: &str = "TANDEM_TEST_UPLOADS";
const EDGE: &str = "TANDEM_TEST_EDGE";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_any_instant_loses_no_recording_and_doubles_none() {
    let dir = TempDir::new().unwrap();
    let mut rng = StdRng::seed_from_u64(9);
    let call_ids: Vec<String> = (0..12).map(|n| format!("call-{n}")).collect();
    for call_id in &call_ids {
        record(dir.path(), call_id, rng.random_range(100..3000));
    }
    let edge = Edge::start(9, 200).await;
    for _ in 0..10 {
        let mut victim = start_victim(dir.path(), &edge.url);
        let deadline = edge.requests() + rng.random_range(1..12);
        tokio::time::timeout(PATIENCE, edge.until_request(deadline)).await.expect("the victim is at work");
        victim.kill().unwrap();
        victim.wait().unwrap();
        assert_nothing_lost(dir.path(), &edge, &call_ids);
    }
    let done = call_ids.iter().filter(|id| !exists(dir.path(), id, "wav")).count();
    assert!(done < call_ids.len(), "killed too late to show anything");
    run_to_the_end(config(dir.path(), &edge.url)).await;
    assert_uploaded(dir.path(), &edge, &call_ids);
}

#[tokio::test]
#[ignore = "the victim of kill_9_at_any_instant_loses_no_recording_and_doubles_none"]
async fn victim() {
    let (Ok(dir), Ok(url)) = (std::env::var(DIR), std::env::var(EDGE)) else { return };
    let _archive = run_to_the_end(config(Path::new(&dir), &url)).await;
    std::future::pending::<()>().await;
}

fn start_victim(dir: &Path, url: &str) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "killed::victim"])
        .env(DIR, dir)
        .env(EDGE, url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
