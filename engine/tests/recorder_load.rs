//! What 2,000 calls at once ask of the recorder, in real time: nothing dropped, and how much CPU it takes.
//! Not for every run: `cargo test --release -p engine --test recorder_load -- --ignored --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use engine::audio::g711::Law;
use engine::recorder::{
    BLOCK_SAMPLES, RecordBlock, Recorder, RecorderConfig, RecordingEvent, RecordingId, RecordingMeta,
};
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

const CALLS: usize = 2000;
const SECONDS: usize = 10;
/// 20 ms at 8 kHz.
const FRAME: usize = 160;
/// All calls are there after one second.
const BEGIN_PER_TICK: usize = CALLS / 50;

struct Call {
    id: RecordingId,
    position: u64,
    block: Option<Box<RecordBlock>>,
}

fn meta(index: usize) -> RecordingMeta {
    RecordingMeta {
        call_id: format!("call-{index}"),
        started_at_ms: 0,
        from: "sip:a@example.com".to_owned(),
        to: "sip:b@example.com".to_owned(),
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
#[ignore = "takes 10 s and 320 MB of disk"]
fn two_thousand_calls_are_recorded_without_a_gap() {
    let dir = TempDir::new().unwrap();
    let (recorder, mut taps, mut events) = Recorder::start(RecorderConfig::new(dir.path(), 1)).unwrap();
    let tap = &mut taps[0];
    let handle = recorder.handle();
    let mut calls: Vec<Call> = Vec::new();

    let voice = [0x55; FRAME];
    let (start, cpu_at_start) = (Instant::now(), cpu());
    let mut worst_tick = Duration::ZERO;
    for tick in 0..SECONDS * 50 {
        let due = Duration::from_millis(20) * tick as u32;
        #[expect(clippy::disallowed_methods, reason = "this thread is the ticker, and has no other events")]
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        let began = Instant::now();
        // Calls begin one after the other, so that their blocks fill up in different ticks.
        while calls.len() < ((tick + 1) * BEGIN_PER_TICK).min(CALLS) {
            let id = handle.open(meta(calls.len())).unwrap();
            calls.push(Call { id, position: 0, block: None });
        }
        for call in &mut calls {
            let block = call.block.get_or_insert_with(|| {
                let mut block = tap.try_block().expect("an empty block");
                block.begin(call.id, call.position, Law::Mu);
                block
            });
            block.append(&voice, &voice);
            call.position += FRAME as u64;
            if block.is_full()
                && let Some(block) = call.block.take()
            {
                tap.push(block);
            }
        }
        worst_tick = worst_tick.max(began.elapsed());
    }
    println!(
        "{CALLS} calls, {SECONDS} s: {:?} of CPU while recording, worst tick {worst_tick:?}",
        cpu() - cpu_at_start
    );

    let (ending, cpu_at_end) = (Instant::now(), cpu());
    for call in &mut calls {
        if let Some(block) = call.block.take() {
            tap.push(block);
        }
        handle.finish(call.id).unwrap();
    }
    for _ in 0..CALLS {
        match events.blocking_recv() {
            Some(RecordingEvent::Ready(finished)) => {
                assert!(finished.duration_ms >= 1000 * (SECONDS as u64 - 1), "{finished:?}");
            }
            other => panic!("not recorded: {other:?}"),
        }
    }
    println!("{CALLS} files: {:?}, {:?} of CPU", ending.elapsed(), cpu() - cpu_at_end);
    let counters = handle.counters();
    assert_eq!(counters.dropped_by_shards.load(Ordering::Relaxed), 0);
    assert_eq!(counters.dropped_by_disk.load(Ordering::Relaxed), 0);
    assert!(counters.written.load(Ordering::Relaxed) >= (CALLS * (SECONDS - 1) * 8000 / BLOCK_SAMPLES) as u64);
}
