//! A node killed while it publishes: whatever a live reader was told of is on disk, and the next start goes on from it.
//! The node is this test's own binary, started again and killed with SIGKILL.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use edge_protocol::{CallEvent, EventKind, VERSION};
use engine::control::{EventSpool, SpoolConfig, replay};
use tempfile::TempDir;

const DIR: &str = "TANDEM_TEST_EVENTS";

fn event(seq: u64) -> CallEvent {
    CallEvent {
        v: VERSION,
        call_id: "victim".to_owned(),
        seq,
        call_started_at_ms: 1_700_000_000_000,
        at_ms: seq * 20,
        kind: EventKind::SpeechStarted { turn: seq as u32 },
    }
}

#[test]
fn whatever_was_told_survives_kill_9() {
    let dir = TempDir::new().unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .env(DIR, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = None;
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    while told < Some(200) {
        let line = lines.next().expect("the victim still publishes").unwrap();
        told = line.strip_prefix("told ").map(|seq| seq.parse::<u64>().unwrap()).or(told);
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    // What it told between the last line read and its death counts as well.
    for line in lines.map_while(Result::ok) {
        told = line.strip_prefix("told ").and_then(|seq| seq.parse().ok()).or(told);
    }
    let told = told.unwrap();

    let on_disk: Vec<u64> = replay(dir.path()).unwrap().map(|event| event.unwrap().seq).collect();
    assert!(on_disk.len() as u64 > told, "{} on disk, {told} told", on_disk.len());
    assert_eq!(on_disk, (0..on_disk.len() as u64).collect::<Vec<_>>());

    // Half a line, as a power failure would leave it.
    let file = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .unwrap();
    std::fs::File::options().append(true).open(file).unwrap().write_all(b"{\"v\":1,\"call_id\":\"vic").unwrap();

    let (spool, tails) = EventSpool::open(SpoolConfig::new(dir.path())).unwrap();
    assert_eq!(tails.len(), 1);
    assert_eq!((tails[0].call_id.as_str(), tails[0].next_seq, tails[0].ended), ("victim", on_disk.len() as u64, false));
    spool.publish(event(tails[0].next_seq)).unwrap();
    drop(spool);
    let on_disk: Vec<u64> = replay(dir.path()).unwrap().map(|event| event.unwrap().seq).collect();
    assert_eq!(on_disk.last(), Some(&tails[0].next_seq));
}

#[tokio::test]
#[ignore = "the victim of whatever_was_told_survives_kill_9"]
async fn victim() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let (spool, _) = EventSpool::open(SpoolConfig::new(dir)).unwrap();
    let mut live = spool.subscribe();
    tokio::spawn(async move {
        for seq in 0.. {
            while spool.publish(event(seq)).is_err() {
                tokio::task::yield_now().await;
            }
            tokio::task::yield_now().await;
        }
    });
    loop {
        match live.recv().await {
            Ok(event) => println!("told {}", event.seq),
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
