//! The `loadtest` command itself: a simulation that is stopped by hand, and one that is run twice.
//! What is simulated is tested beside `sim`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// A small fleet that loses a node.
const SMALL: [&str; 8] =
    ["--calls=60", "--nodes=6", "--hold=16s", "--ramp=5s", "--lose-at=11s", "--roll-out=0", "--media=20", "sim"];

fn loadtest(json: &Path, more: &[&str]) -> Child {
    let [options @ .., command] = SMALL;
    let mut loadtest = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    loadtest.arg(command).args(options).args(more).arg("--json").arg(json);
    loadtest.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap()
}

fn report(json: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap()
}

#[tokio::test]
async fn a_seed_gives_the_same_file_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let files = ["first", "second"].map(|name| dir.path().join(name));
    for file in &files {
        let status = loadtest(file, &["--length=20s", "--seed=5"]).wait().await.unwrap();
        assert!(status.success(), "{status}");
    }
    let [first, second] = files.map(|file| std::fs::read(file).unwrap());
    assert!(first == second, "the reports differ");
}

#[tokio::test]
async fn a_simulation_stopped_by_hand_still_reports() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("report.json");
    let mut running = loadtest(&json, &["--length=100000s"]);
    let id = running.id().unwrap();
    timeout(Duration::from_secs(20), takes_interrupts(id)).await.expect("it never listens for Ctrl-C");
    assert!(Command::new("kill").args(["-INT", &id.to_string()]).status().await.unwrap().success());
    let status = timeout(Duration::from_secs(20), running.wait()).await.expect("it goes on").unwrap();
    assert_eq!(status.code(), Some(1));
    let report = report(&json);
    assert_eq!(report["interrupted"], true);
    assert_eq!(report["answered"], report["model"]["call_instances"]);
}

/// Signals that are handled, from the kernel: before it handles SIGINT, it would die of it.
async fn takes_interrupts(id: u32) {
    const SIGINT: u64 = 1 << 1;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        if caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & SIGINT != 0) {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
}
