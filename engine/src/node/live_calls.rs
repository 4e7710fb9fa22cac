//! The calls a node holds now, and those whose recording is still being made.
//! For `/v1/calls` and for the last event of a call; the calls themselves live on their shards.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// A call as `/v1/calls` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveCall {
    pub call_id: String,
    /// SIP `From` URI.
    pub from: String,
    /// SIP `To` URI.
    pub to: String,
    /// Name of the agent that answers.
    pub agent: String,
    /// Milliseconds since the Unix epoch.
    pub started_at_ms: u64,
}

/// What `RecordingReady` needs of a call that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwaitedRecording {
    pub started_at_ms: u64,
    /// Number of the event that is still to come.
    pub seq: u64,
}

/// Register of live calls.
#[derive(Debug, Default)]
pub struct LiveCalls {
    live: Mutex<HashMap<String, LiveCall>>,
    awaited: Mutex<HashMap<String, AwaitedRecording>>,
}

// === impl LiveCalls ===

impl LiveCalls {
    pub fn add(&self, call: LiveCall) {
        lock(&self.live).insert(call.call_id.clone(), call);
    }

    pub fn remove(&self, call_id: &str) {
        lock(&self.live).remove(call_id);
    }

    /// All live calls, oldest first.
    pub fn list(&self) -> Vec<LiveCall> {
        let mut calls: Vec<_> = lock(&self.live).values().cloned().collect();
        calls.sort_by(|a, b| (a.started_at_ms, &a.call_id).cmp(&(b.started_at_ms, &b.call_id)));
        calls
    }

    pub fn expect_recording(&self, call_id: &str, started_at_ms: u64, seq: u64) {
        lock(&self.awaited).insert(call_id.to_owned(), AwaitedRecording { started_at_ms, seq });
    }

    /// What is known of a call whose recording came to an end, once.
    pub fn recording_came(&self, call_id: &str) -> Option<AwaitedRecording> {
        lock(&self.awaited).remove(call_id)
    }
}

/// The maps are whole after every statement, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
