//! What goes on the tape is in the file, at its place, whoever is heard when.
//! Nothing here runs outside tests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use tempfile::TempDir;

use super::*;
use crate::recorder::{Recorder, RecorderConfig, RecordingEvent, RecordingMeta};

#[test]
fn whoever_is_heard_when_it_is_in_the_file_at_its_place() {
    let dir = TempDir::new().unwrap();
    let (recorder, mut taps, mut events) = Recorder::start(RecorderConfig::new(dir.path(), 1)).unwrap();
    let meta = RecordingMeta {
        call_id: "call".to_owned(),
        started_at_ms: 0,
        from: "sip:a@example.com".to_owned(),
        to: "sip:b@example.com".to_owned(),
    };
    let id = recorder.handle().open(meta).unwrap();
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
    let mut expected = Vec::new();
    for (frames, caller, agent) in runs {
        let [caller, agent] = [caller, agent].map(|kind| if kind == 0 { silence } else { 0x10 * kind });
        for _ in 0..frames {
            tape.take((&[caller; FRAME_SAMPLES], &[agent; FRAME_SAMPLES]), &mut taps[0]);
            expected.extend([[caller, agent]; FRAME_SAMPLES]);
        }
    }
    tape.pass_over(4, &mut taps[0]);
    expected.extend([[silence; 2]; 4 * FRAME_SAMPLES]);
    tape.take((&[0x70; FRAME_SAMPLES], &[silence; FRAME_SAMPLES]), &mut taps[0]);
    expected.extend([[0x70, silence]; FRAME_SAMPLES]);
    tape.finish(&mut taps[0]);
    recorder.handle().finish(id).unwrap();

    let Some(RecordingEvent::Ready(file)) = events.blocking_recv() else { panic!("it is not ready") };
    let samples: Vec<i16> = hound::WavReader::open(file.path).unwrap().samples().map(Result::unwrap).collect();
    let expected: Vec<i16> = expected.as_flattened().iter().map(|byte| Law::Mu.decode(*byte)).collect();
    assert!(samples == expected, "{} of {} samples", samples.len(), expected.len());
}
