//! The files in `examples/` are the contract: each is read, written again, and must come out the same.
//! Whoever writes another engine or edge tests against the same files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use edge_protocol::{CallEvent, VERSION};
use serde_json::Value;

fn examples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn every_example_is_read_and_written_unchanged() {
    for (name, text) in examples() {
        let event: CallEvent = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(event.v, VERSION, "{name}");
        let written = serde_json::to_value(&event).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(&text).unwrap(), "{name}");
    }
}

#[test]
fn every_type_of_event_has_an_example() {
    let have: BTreeSet<String> = examples()
        .iter()
        .map(|(_, text)| serde_json::from_str::<Value>(text).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    let known = [
        "answer_started",
        "barge_in",
        "call_ended",
        "call_started",
        "dtmf",
        "media_changed",
        "prompt_started",
        "recording_ready",
        "speech_failed",
        "speech_started",
        "ssrc_changed",
        "turn_completed",
        "turn_transcribed",
    ];
    assert_eq!(have, known.map(str::to_owned).into());
}

#[test]
fn an_unknown_type_of_event_is_an_error_that_names_it() {
    let text = r#"{"v":1,"call_id":"c","seq":0,"call_started_at_ms":0,"at_ms":0,"type":"levitated"}"#;
    let error = serde_json::from_str::<CallEvent>(text).unwrap_err().to_string();
    assert!(error.contains("levitated"), "{error}");
}
