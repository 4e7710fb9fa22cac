//! What a feed keeps while nobody looks and while it sleeps: the account's live calls, and the nodes as last seen.
//! Calls that ended stay a while, then the database alone has them.

use edge_protocol::live::{CallStatus, CallSummary, NodeSummary};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use worker::Storage;

use crate::http::ApiError;
use crate::storage::{Database, json, number};

/// A call that ended is shown so much longer, ms.
const ENDED_MS: u64 = 60_000;
/// A call not heard of for so long is none any more, ms: its node is gone, and took what happened with it.
const SILENT_MS: u64 = 6 * 3_600_000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS calls (
  call_id TEXT PRIMARY KEY, summary TEXT NOT NULL, started_at_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS calls_by_end ON calls (until_ms);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);";

/// The feed's database.
pub struct Store {
    database: Database,
}

#[derive(Deserialize)]
struct Value {
    value: String,
}

// === impl Store ===

impl Store {
    /// # Errors
    /// If SQLite refuses, here and below.
    pub fn open(storage: Storage) -> Result<Self, ApiError> {
        Ok(Self { database: Database::open(storage, SCHEMA)? })
    }

    /// Also forgets what has been kept long enough: a feed nobody looks at does not grow.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn keep_call(&self, call: &CallSummary, now_ms: u64) -> Result<(), ApiError> {
        let keep_ms = if call.status == CallStatus::Ended { ENDED_MS } else { SILENT_MS };
        let values =
            vec![call.call_id.as_str().into(), json(call)?, number(call.started_at_ms)?, number(now_ms + keep_ms)?];
        self.forget(now_ms)?;
        self.database.run("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?)", values)
    }

    /// Newest first.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn calls(&self, now_ms: u64) -> Result<Vec<CallSummary>, ApiError> {
        self.forget(now_ms)?;
        let query = "SELECT summary AS value FROM calls ORDER BY started_at_ms DESC, call_id";
        let rows: Vec<Value> = self.database.all(query, vec![])?;
        rows.iter().map(|row| parse(&row.value)).collect()
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn nodes(&self) -> Result<Vec<NodeSummary>, ApiError> {
        self.fact("nodes")?.map_or(Ok(Vec::new()), |text| parse(&text))
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn keep_nodes(&self, nodes: &[NodeSummary]) -> Result<(), ApiError> {
        self.database.run("INSERT OR REPLACE INTO facts VALUES ('nodes', ?)", vec![json(&nodes)?])
    }

    /// When something was last told, ms since the Unix epoch.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn told_ms(&self) -> Result<u64, ApiError> {
        Ok(self.fact("told_ms")?.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn keep_told(&self, now_ms: u64) -> Result<(), ApiError> {
        let values = vec![now_ms.to_string().into()];
        self.database.run("INSERT OR REPLACE INTO facts VALUES ('told_ms', ?)", values)
    }

    fn forget(&self, now_ms: u64) -> Result<(), ApiError> {
        self.database.run("DELETE FROM calls WHERE until_ms <= ?", vec![number(now_ms)?])
    }

    fn fact(&self, name: &str) -> Result<Option<String>, ApiError> {
        let row: Option<Value> = self.database.first("SELECT value FROM facts WHERE name = ?", vec![name.into()])?;
        Ok(row.map(|row| row.value))
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    serde_json::from_str(text).map_err(|error| ApiError::internal(format!("kept, and not to be read: {error}")))
}
