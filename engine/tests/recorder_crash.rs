//! A node killed in mid-call: the next start makes a file of everything but the last second.
//! The node is this test's own binary, started again and killed with SIGKILL.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use engine::audio::g711::Law;
use engine::recorder::{BLOCK_SAMPLES, Recorder, RecorderConfig, RecordingEvent, RecordingMeta};
use tempfile::TempDir;

const DIR: &str = "TANDEM_TEST_RECORDINGS";
/// The victim records at ten times the speed of a call.
const SPEED_UP: u32 = 10;
/// A block in the ring waits for the recorder's next look, 10 ms; a busy machine gets four times that.
const LOOK_MS: u64 = 40;

#[test]
fn kill_9_loses_at_most_the_last_second() {
    let dir = TempDir::new().unwrap();
    let mut victim = start_victim(dir.path());
    // The victim says how many samples it has pushed, after each block.
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut pushed = 0;
    while pushed < 40 * BLOCK_SAMPLES as u64 {
        let line = lines.next().expect("the victim is still recording").unwrap();
        // libtest's own words come on the same stream.
        pushed = line.strip_prefix("pushed ").map_or(pushed, |samples| samples.parse().unwrap());
    }
    victim.kill().unwrap();
    victim.wait().unwrap();

    let (_recorder, _taps, mut events) = Recorder::start(RecorderConfig::new(dir.path(), 1)).unwrap();
    let finished = match events.blocking_recv() {
        Some(RecordingEvent::Recovered(finished)) => finished,
        other => panic!("not recovered: {other:?}"),
    };
    assert_eq!(finished.meta.call_id, "victim");
    let lost_ms = (pushed / 8).saturating_sub(finished.duration_ms);
    assert!(lost_ms <= BLOCK_SAMPLES as u64 / 8 + LOOK_MS * u64::from(SPEED_UP), "{lost_ms} of {} ms lost", pushed / 8);

    let mut wav = hound::WavReader::open(&finished.path).unwrap();
    for (index, frame) in wav.samples::<i16>().collect::<Result<Vec<_>, _>>().unwrap().chunks(2).enumerate() {
        assert_eq!(frame, [Law::Mu.decode((index % 256) as u8), Law::Mu.decode((index % 251) as u8)], "sample {index}");
    }
}

#[test]
#[ignore = "the victim of kill_9_loses_at_most_the_last_second"]
fn victim() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let (recorder, mut taps, _events) = Recorder::start(RecorderConfig::new(dir, 1)).unwrap();
    let mut tap = taps.remove(0);
    let meta = RecordingMeta {
        call_id: "victim".to_owned(),
        started_at_ms: 0,
        from: "sip:a@example.com".to_owned(),
        to: "sip:b@example.com".to_owned(),
    };
    let id = recorder.handle().open(meta).unwrap();
    for block_index in 0u64.. {
        let first = block_index * BLOCK_SAMPLES as u64;
        let positions = first..first + BLOCK_SAMPLES as u64;
        let caller: Vec<u8> = positions.clone().map(|position| (position % 256) as u8).collect();
        let agent: Vec<u8> = positions.map(|position| (position % 251) as u8).collect();
        let mut block = tap.try_block().expect("the disk keeps up");
        block.begin(id, first, Law::Mu);
        block.append(&caller, &agent);
        tap.push(block);
        println!("pushed {}", first + BLOCK_SAMPLES as u64);
        #[expect(clippy::disallowed_methods, reason = "the victim speaks at its pace until it is killed")]
        std::thread::sleep(Duration::from_millis(BLOCK_SAMPLES as u64 / 8) / SPEED_UP);
    }
}

fn start_victim(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}
