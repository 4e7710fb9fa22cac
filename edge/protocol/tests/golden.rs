//! The files in `examples/` are the contract: each is read, written again, and must come out the same.
//! A folder a type; whoever writes another engine or edge tests against the same files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use edge_protocol::{CallEvent, CallerIdentity, VERSION};
use edge_protocol::{accounts, admission, call_session, delivery, link, live, media, recordings};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A folder of `examples/`, how its files are read and written again, and the names each must have: one for every
/// variant of the type.
struct Folder {
    name: &'static str,
    again: fn(&str) -> Result<Value, serde_json::Error>,
    variants: &'static [&'static str],
}

fn again<T: Serialize + DeserializeOwned>(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::to_value(serde_json::from_str::<T>(text)?)
}

fn folders() -> Vec<Folder> {
    let folder = |name, again, variants| Folder { name, again, variants };
    vec![
        folder("admission", again::<admission::AdmissionRequest>, &["request"]),
        folder("admission_answer", again::<admission::AdmissionAnswer>, &["accept", "refuse"]),
        folder(
            "call_session_client",
            again::<call_session::ClientMessage>,
            &["audio", "end_call", "ping", "start_call"],
        ),
        folder(
            "call_session_server",
            again::<call_session::ServerMessage>,
            &[
                "audio_response",
                "error_internal_error",
                "error_rate_limit",
                "error_timeout",
                "pong",
                "status_error",
                "status_processing",
                "status_ready",
            ],
        ),
        folder("caller_identity", again::<CallerIdentity>, &["absent", "failed", "passed"]),
        folder("delivery_batch", again::<delivery::EventBatch>, &["batch"]),
        folder("delivery_receipt", again::<delivery::BatchReceipt>, &["not_now", "receipt"]),
        folder(
            "events",
            again::<CallEvent>,
            &[
                "answer_started",
                "answered",
                "barge_in",
                "bridged",
                "call_ended",
                "call_ended_busy",
                "call_started",
                "dtmf",
                "instructions_added",
                "media_changed",
                "media_problem",
                "prompt_started",
                "recording_ready",
                "ringing",
                "speech_failed",
                "speech_started",
                "ssrc_changed",
                "tool_called",
                "tool_finished",
                "transfer_failed",
                "transfer_started",
                "turn_completed",
                "turn_transcribed",
                "unbridged",
            ],
        ),
        folder("ledger_entry", again::<accounts::LedgerEntry>, &["call_charge", "grant"]),
        folder("link_edge", again::<link::EdgeCommand>, &["drain", "hang_up", "press", "transfer", "undrain"]),
        folder("link_node", again::<link::NodeMessage>, &["command_done", "command_failed", "heartbeat"]),
        folder("live", again::<live::LiveMessage>, &["balance", "call", "event", "nodes", "snapshot"]),
        folder(
            "media_from_node",
            again::<media::FromNode>,
            &["agent_text", "audio", "caller_text", "ended", "error", "flush", "started", "thinking", "transfer"],
        ),
        folder(
            "media_to_node",
            again::<media::ToNode>,
            &["audio", "dtmf", "hangup", "start", "start_plain", "start_transfers"],
        ),
        folder("upload_request", again::<recordings::UploadRequest>, &["request"]),
        folder("upload_status", again::<recordings::UploadStatus>, &["complete", "in_parts"]),
    ]
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let name = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    fs::read_dir(folder).unwrap().map(|entry| name(entry.unwrap().path())).collect()
}

#[test]
fn every_example_is_read_and_written_unchanged() {
    for folder in folders() {
        for name in names(&root().join(folder.name)) {
            let text = fs::read_to_string(root().join(folder.name).join(&name).with_extension("json")).unwrap();
            let written = (folder.again)(&text).unwrap_or_else(|e| panic!("{}/{name}: {e}", folder.name));
            assert_eq!(written, serde_json::from_str::<Value>(&text).unwrap(), "{}/{name}", folder.name);
        }
    }
}

#[test]
fn every_message_has_an_example() {
    for folder in folders() {
        let expected: BTreeSet<String> = folder.variants.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(names(&root().join(folder.name)), expected, "{}", folder.name);
    }
    let known: BTreeSet<String> = folders().iter().map(|folder| folder.name.to_owned()).collect();
    assert_eq!(names(&root()), known);
}

#[test]
fn examples_of_versioned_messages_carry_this_version() {
    for folder in ["admission", "delivery_batch", "events", "upload_request"] {
        for name in names(&root().join(folder)) {
            let text = fs::read_to_string(root().join(folder).join(&name).with_extension("json")).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["v"], VERSION, "{folder}/{name}");
        }
    }
}

#[test]
fn an_unknown_type_of_event_is_an_error_that_names_it() {
    let text = r#"{"v":1,"call_id":"c","seq":0,"call_started_at_ms":0,"at_ms":0,"type":"levitated"}"#;
    let error = serde_json::from_str::<CallEvent>(text).unwrap_err().to_string();
    assert!(error.contains("levitated"), "{error}");
}
