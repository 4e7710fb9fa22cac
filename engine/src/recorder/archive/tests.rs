//! What is found at a start, what is deleted and when, and what a damaged marker does.
//! Uploads are tested against an edge in `tests/recordings_upload`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::compressor::step_aside;
use super::files::Files;
use super::marker::{Marker, State};
use super::retention::delete_expired;
use super::*;

const DAY_MS: u64 = 86_400_000;

fn touch(dir: &Path, names: &[&str]) {
    for name in names {
        fs::write(dir.join(name), b"x").unwrap();
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mark(dir: &Path, call_id: &str, state: State) {
    let marker = Marker { sha256: "00".repeat(32), bytes: 1, duration_ms: 1000, state };
    marker.write(&Files::of(dir, call_id).marker).unwrap();
}

#[test]
fn recordings_without_a_journal_are_taken_up_and_strangers_are_not() {
    let dir = TempDir::new().unwrap();
    touch(dir.path(), &["b.wav", "a.wav", "a.ogg", "a.upload.json", "c.ogg", "d.journal", "d.wav", "e.damaged"]);
    touch(dir.path(), &[".lock", "f.wav.part", "notes.txt", "ü.wav", ".wav"]);
    assert_eq!(left_over(dir.path()).unwrap(), ["a", "b", "c"]);
    assert_eq!(left_over(&dir.path().join("missing")).unwrap(), Vec::<String>::new());
    let error = left_over(&dir.path().join("b.wav")).unwrap_err().to_string();
    assert!(error.contains("b.wav"), "{error}");
}

#[test]
fn a_marker_is_read_as_it_was_written_and_a_torn_one_is_none() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("call.upload.json");
    assert_eq!(Marker::read(&path).unwrap(), None);
    for state in [State::Compressed, State::Done { at_ms: 7 }, State::Failed { error: "too big".to_owned() }] {
        let marker = Marker { sha256: "ab".repeat(32), bytes: 5, duration_ms: 9, state };
        marker.write(&path).unwrap();
        assert_eq!(Marker::read(&path).unwrap(), Some(marker));
    }
    let whole = fs::read(&path).unwrap();
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        assert_eq!(Marker::read(&path).unwrap(), None);
    }
    assert_eq!(names(dir.path()), ["call.upload.json"]);
}

#[test]
fn local_copies_go_when_their_days_are_over_and_nothing_that_is_not_uploaded_does() {
    let dir = TempDir::new().unwrap();
    touch(dir.path(), &["old.ogg", "young.ogg", "waiting.ogg", "waiting.wav", "failed.ogg", "plain.wav"]);
    mark(dir.path(), "old", State::Done { at_ms: 10 * DAY_MS });
    mark(dir.path(), "young", State::Done { at_ms: 10 * DAY_MS + 1 });
    mark(dir.path(), "waiting", State::Compressed);
    mark(dir.path(), "failed", State::Failed { error: "too big".to_owned() });
    let before = names(dir.path());

    assert_eq!(delete_expired(dir.path(), 0, u64::MAX).unwrap(), 0);
    assert_eq!(delete_expired(dir.path(), 30, 40 * DAY_MS - 1).unwrap(), 0);
    assert_eq!(names(dir.path()), before);

    assert_eq!(delete_expired(dir.path(), 30, 40 * DAY_MS).unwrap(), 1);
    let left: Vec<_> = before.into_iter().filter(|name| !name.starts_with("old.")).collect();
    assert_eq!(names(dir.path()), left);
}

#[test]
fn a_local_copy_that_cannot_be_deleted_keeps_no_other() {
    let dir = TempDir::new().unwrap();
    for call_id in ["a", "b", "c"] {
        mark(dir.path(), call_id, State::Done { at_ms: 0 });
    }
    fs::create_dir(dir.path().join("b.ogg")).unwrap();
    fs::create_dir(dir.path().join("d.upload.json")).unwrap();
    assert_eq!(delete_expired(dir.path(), 1, DAY_MS).unwrap(), 2);
    assert_eq!(names(dir.path()), ["b.ogg", "b.upload.json", "d.upload.json"]);
}

#[test]
fn a_recording_whose_wav_is_gone_is_described_by_its_marker() {
    let dir = TempDir::new().unwrap();
    assert_eq!(compressed_copy(dir.path(), "call"), None);
    mark(dir.path(), "call", State::Compressed);
    assert_eq!(compressed_copy(dir.path(), "call"), None);
    touch(dir.path(), &["call.ogg"]);
    assert_eq!(compressed_copy(dir.path(), "call"), Some((dir.path().join("call.ogg"), 1000, 1)));
}

#[test]
fn any_file_of_a_recording_tells_that_there_was_one() {
    for file in ["call.wav", "call.journal", "call.ogg", "call.upload.json"] {
        let dir = TempDir::new().unwrap();
        touch(dir.path(), &["other.wav", "other.journal", "other.ogg", "other.upload.json"]);
        assert!(!was_recorded(dir.path(), "call"));
        touch(dir.path(), &[file]);
        assert!(was_recorded(dir.path(), "call"), "{file}");
    }
}

#[test]
fn the_thread_that_compresses_gets_what_others_leave() {
    let policy = std::thread::spawn(|| {
        step_aside();
        // SAFETY: plain system call; 0 is the calling thread.
        unsafe { libc::sched_getscheduler(0) }
    });
    assert_eq!(policy.join().unwrap(), libc::SCHED_IDLE);
}
