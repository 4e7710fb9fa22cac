//! A whole node on what an earlier one left: a finished recording and a journal, both for the edge.
//! The node is the real binary, in real time; it takes no calls here.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use engine::recorder::{BLOCK_SAMPLES, Recorder, RecorderConfig, RecordingMeta};
use rustix::process::{Pid, Signal, kill_process};

use tokio::sync::oneshot;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_uploads_what_an_earlier_one_left_and_stops_when_told_to() {
    let data = TempDir::new().unwrap();
    let recordings = data.path().join("recordings");
    fs::create_dir(&recordings).unwrap();
    record(&recordings, "finished", 1500);
    leave_journal(&recordings, "cut-off");

    let edge = Edge::start_with_parts_of(edge_protocol::recordings::PART_BYTES, 3, 0).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut node = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["run", "--node-name", "node-1", "--sip", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .arg("--data")
        .arg(data.path())
        .env("TANDEM_EDGE__URL", &edge.url)
        .env("TANDEM_EDGE__SECRET", SECRET)
        // Speech is not asked for.
        .env("TANDEM_SPEECH__BASE_URL", "http://127.0.0.1:9/v1")
        .current_dir(root)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tokio::time::timeout(PATIENCE, until_ready(&mut node)).await.expect("the node is ready").unwrap();
    let stored = tokio::time::timeout(PATIENCE, edge.until_stored(2)).await;
    kill_process(Pid::from_child(&node), Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || node.wait().unwrap()).await.unwrap();

    assert!(stored.is_ok(), "not uploaded in time");
    assert!(status.success(), "{status}");
    let mut call_ids: Vec<_> = edge.stored().into_keys().collect();
    call_ids.sort();
    assert_eq!(call_ids, ["cut-off", "finished"]);
    assert_uploaded(&recordings, &edge, &call_ids);
}

/// Returns when the node says that it takes calls, and with it signals; what else it says is read and forgotten.
fn until_ready(node: &mut Child) -> oneshot::Receiver<()> {
    let (ready, is_ready) = oneshot::channel();
    let lines = BufReader::new(node.stderr.take().unwrap()).lines().map_while(Result::ok);
    std::thread::spawn(move || {
        let mut ready = Some(ready);
        for line in lines {
            if line.contains("\"ready\"") {
                ready.take().map(|ready| ready.send(()));
            }
        }
    });
    is_ready
}

/// The journal of a call that went on when its node died.
fn leave_journal(dir: &Path, call_id: &str) {
    // A recorder that cannot write the WAV leaves the journal where it is.
    let wav = dir.join(call_id).with_extension("wav");
    fs::create_dir_all(wav.join("in the way")).unwrap();
    let (recorder, mut taps, _events) = Recorder::start(RecorderConfig::new(dir, 1)).unwrap();
    let meta = RecordingMeta {
        call_id: call_id.to_owned(),
        started_at_ms: 1,
        from: "sip:a@example.com".to_owned(),
        to: "sip:b@example.com".to_owned(),
    };
    let id = recorder.handle().open(meta).unwrap();
    let mut block = taps[0].try_block().unwrap();
    block.begin(id, 0, Law::Mu);
    assert_eq!(block.append(&[0x10; BLOCK_SAMPLES], &[0x20; BLOCK_SAMPLES]), BLOCK_SAMPLES);
    taps[0].push(block);
    recorder.stop();
    fs::remove_dir_all(wav).unwrap();
    assert!(dir.join(call_id).with_extension("journal").exists());
}
