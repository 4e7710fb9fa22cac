//! A disk that is full in mid-call: the call goes on, and what was written stays readable.
//! A limit on this process's file sizes stands in for the disk, which is why this test has a binary to itself.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::Ordering;

use engine::audio::g711::Law;
use engine::recorder::{BLOCK_SAMPLES, Recorder, RecorderConfig, RecordingEvent, RecordingMeta, read_journal};
use rustix::process::{Resource, Rlimit, setrlimit};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

/// Room for the header and three blocks of 2 kB, but not for a fourth.
const DISK_BYTES: u64 = 7_000;

#[tokio::test]
async fn a_full_disk_is_told_once_and_what_was_written_stays_readable() {
    // Without a handler the limit's signal would end the process before `write` could return an error.
    let _handler = signal(SignalKind::from_raw(libc::SIGXFSZ)).unwrap();
    setrlimit(Resource::Fsize, Rlimit { current: Some(DISK_BYTES), maximum: None }).unwrap();

    let dir = TempDir::new().unwrap();
    let (recorder, mut taps, mut events) = Recorder::start(RecorderConfig::new(dir.path(), 1)).unwrap();
    let meta = RecordingMeta {
        call_id: "long".to_owned(),
        started_at_ms: 0,
        from: "sip:a@example.com".to_owned(),
        to: "sip:b@example.com".to_owned(),
    };
    let id = recorder.handle().open(meta).unwrap();
    for index in 0..10 {
        let mut block = taps[0].try_block().expect("a full disk holds no block back");
        block.begin(id, index * BLOCK_SAMPLES as u64, Law::Mu);
        block.append(&[0x10; BLOCK_SAMPLES], &[0x20; BLOCK_SAMPLES]);
        taps[0].push(block);
    }
    // The finished file would be twice the journal: it does not fit either, and the journal must survive that.
    recorder.handle().finish(id).unwrap();
    match events.recv().await {
        Some(RecordingEvent::Failed { call_id, error }) => {
            assert_eq!(call_id, "long");
            assert!(error.to_string().contains("long.wav"), "{error}");
        }
        other => panic!("not said: {other:?}"),
    }
    assert_eq!(recorder.handle().counters().dropped_by_disk.load(Ordering::Relaxed), 7);
    let journal = read_journal(&std::fs::read(dir.path().join("long.journal")).unwrap()).unwrap();
    assert_eq!((journal.blocks.len(), journal.torn_bytes), (3, 0));
    assert!(!dir.path().join("long.wav").exists());
    assert!(!dir.path().join("long.wav.part").exists());
}
