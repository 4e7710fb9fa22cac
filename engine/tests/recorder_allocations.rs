//! A shard's side of the recorder must not touch the heap: blocks are made by the recorder and go round.
//! Counts the allocations of one thread, which is why this test has a binary to itself.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use engine::audio::g711::Law;
use engine::recorder::{Recorder, RecorderConfig, RecordingMeta};
use tempfile::TempDir;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on to the system allocator unchanged; the counter is a plain thread-local that needs
// no allocation and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[test]
fn recording_a_quarter_of_a_minute_touches_the_heap_of_no_shard() {
    let dir = TempDir::new().unwrap();
    let (recorder, mut taps, mut events) = Recorder::start(RecorderConfig::new(dir.path(), 1)).unwrap();
    let tap = &mut taps[0];
    let meta = RecordingMeta {
        call_id: "call".to_owned(),
        started_at_ms: 0,
        from: "sip:a@example.com".to_owned(),
        to: "sip:b@example.com".to_owned(),
    };
    let id = recorder.handle().open(meta).unwrap();

    let before = CALLS.get();
    let mut position = 0;
    let mut block = None;
    for _ in 0..750 {
        let current = block.get_or_insert_with(|| {
            let mut fresh = tap.try_block().expect("an empty block");
            fresh.begin(id, position, Law::Mu);
            fresh
        });
        current.append(&[0x11; 160], &[0x22; 160]);
        position += 160;
        if current.is_full()
            && let Some(full) = block.take()
        {
            tap.push(full);
        }
    }
    assert_eq!(CALLS.get() - before, 0);

    recorder.handle().finish(id).unwrap();
    assert!(events.blocking_recv().is_some());
}
