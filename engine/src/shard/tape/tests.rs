//! What goes on the tape is in the file, at its place, whoever is heard when.
//! Nothing here runs outside tests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use tempfile::TempDir;

use super::*;
use crate::recorder::tests::{CALL, channels, meta, ready, start};

#[test]
fn whoever_is_heard_when_it_is_in_the_file_at_its_place() {
    let dir = TempDir::new().unwrap();
    let (recorder, mut tap, mut events) = start(dir.path(), 64);
    let id = recorder.handle().open(meta(CALL)).unwrap();
    let mut tape = Tape::new(id, Law::Mu);
    let silence = Law::Mu.silence();
    // Runs of frames: one side, both, nobody, turn about, and longer than a block.
    let runs = [
        (7, 1, 0),
        (3, 1, 2),
        (30, 0, 0),
        (1, 0, 2),
        (1, 1, 0),
        (1, 0, 2),
        (15, 3, 0),
        (15, 3, 4),
        (2, 0, 0),
        (9, 0, 5),
    ];
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut expect = |caller: u8, agent: u8, frames: usize| {
        left.resize(left.len() + frames * FRAME_SAMPLES, Law::Mu.decode(caller));
        right.resize(right.len() + frames * FRAME_SAMPLES, Law::Mu.decode(agent));
    };
    for (frames, caller, agent) in runs {
        let [caller, agent] = [caller, agent].map(|kind| if kind == 0 { silence } else { 0x10 * kind });
        for _ in 0..frames {
            tape.take((&[caller; FRAME_SAMPLES], &[agent; FRAME_SAMPLES]), &mut tap);
        }
        expect(caller, agent, frames);
    }
    tape.pass_over(4, &mut tap);
    expect(silence, silence, 4);
    tape.take((&[0x70; FRAME_SAMPLES], &[silence; FRAME_SAMPLES]), &mut tap);
    expect(0x70, silence, 1);
    tape.finish(&mut tap);
    recorder.handle().finish(id).unwrap();

    assert!(channels(&ready(&mut events).path) == (left, right), "what is in the file is not what was heard");
}

#[test]
fn silence_takes_no_block_and_is_as_long_in_the_file() {
    let dir = TempDir::new().unwrap();
    let (recorder, mut tap, mut events) = start(dir.path(), 64);
    let id = recorder.handle().open(meta(CALL)).unwrap();
    let mut tape = Tape::new(id, Law::A);
    let silence = [Law::A.silence(); FRAME_SAMPLES];
    for _ in 0..50 {
        tape.take((&silence, &silence), &mut tap);
        assert!(tape.block.is_none());
    }
    tape.finish(&mut tap);
    recorder.handle().finish(id).unwrap();

    let quiet = vec![Law::A.decode(Law::A.silence()); 50 * FRAME_SAMPLES];
    assert!(channels(&ready(&mut events).path) == (quiet.clone(), quiet));
}
