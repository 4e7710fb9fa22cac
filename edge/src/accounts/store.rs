//! An account's credits in the object's SQLite: read what the rules need, write what they say, all of it or nothing.
//! What changes is `credits`' to say.

use edge_protocol::accounts::{LedgerEntry, LedgerKind};
use serde::{Deserialize, Serialize};
use worker::{SqlStorageValue, Storage};

use super::credits::{CallCredits, CallState, Change, Sums};
use crate::http::ApiError;
use crate::storage::{Database, number};

/// The sums repeat what the ledger and the calls say, so that a balance costs one row. The checks are the last line:
/// a change that would overdraw the account fails as a whole.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS sums (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  total INTEGER NOT NULL,
  held INTEGER NOT NULL CHECK (held >= 0 AND held <= total),
  active_calls INTEGER NOT NULL CHECK (active_calls >= 0),
  entries INTEGER NOT NULL
);
INSERT OR IGNORE INTO sums VALUES (1, 0, 0, 0, 0);
CREATE TABLE IF NOT EXISTS ledger (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  microcredits INTEGER NOT NULL,
  reference TEXT NOT NULL,
  UNIQUE (kind, reference)
);
CREATE TABLE IF NOT EXISTS calls (
  call_id TEXT PRIMARY KEY,
  rate INTEGER NOT NULL,
  max_call_s INTEGER NOT NULL,
  held INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('held', 'expired', 'settled')),
  charged INTEGER NOT NULL,
  uncollected REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS calls_by_expiry ON calls (expires_at_ms) WHERE state = 'held';
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
";

const CALL: &str = "SELECT call_id, rate, max_call_s, held, expires_at_ms, state, charged, uncollected FROM calls";
const ENTRY: &str = "SELECT id, at_ms, kind, microcredits, reference FROM ledger";

/// The object's tables.
pub struct Store {
    database: Database,
}

#[derive(Deserialize)]
struct SumsRow {
    total: i64,
    held: i64,
    active_calls: u32,
    entries: u64,
}

#[derive(Deserialize)]
struct CallRow {
    call_id: String,
    rate: i64,
    max_call_s: u32,
    held: i64,
    expires_at_ms: u64,
    state: String,
    charged: i64,
    uncollected: f64,
}

#[derive(Deserialize)]
struct ValueRow {
    value: String,
}

#[derive(Deserialize)]
struct TimeRow {
    at_ms: Option<u64>,
}

// === impl Store ===

impl Store {
    /// Opens the tables, making them the first time.
    ///
    /// # Errors
    /// If SQLite refuses.
    pub fn open(storage: Storage) -> Result<Self, ApiError> {
        Ok(Self { database: Database::open(storage, SCHEMA)? })
    }

    /// # Errors
    /// If the row cannot be read.
    pub fn sums(&self) -> Result<Sums, ApiError> {
        let row: Option<SumsRow> =
            self.database.first("SELECT total, held, active_calls, entries FROM sums", vec![])?;
        let row = row.ok_or_else(|| ApiError::internal("the account has no sums"))?;
        Ok(Sums { total: row.total, held: row.held, active_calls: row.active_calls, entries: row.entries })
    }

    /// # Errors
    /// If the row cannot be read.
    pub fn call(&self, call_id: &str) -> Result<Option<CallCredits>, ApiError> {
        let row: Option<CallRow> = self.database.first(&format!("{CALL} WHERE call_id = ?"), vec![call_id.into()])?;
        row.map(CallRow::into_call).transpose()
    }

    /// Calls whose hold is due to expire.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn due(&self, now_ms: u64) -> Result<Vec<CallCredits>, ApiError> {
        let due = format!("{CALL} WHERE state = 'held' AND expires_at_ms <= ?");
        self.database.all::<CallRow>(&due, vec![number(now_ms)?])?.into_iter().map(CallRow::into_call).collect()
    }

    /// Forgets calls that are over and would have expired so long ago. What they cost stays in the ledger.
    ///
    /// # Errors
    /// If SQLite refuses.
    pub fn forget_over(&self, expired_before_ms: u64) -> Result<(), ApiError> {
        let over = "DELETE FROM calls WHERE state <> 'held' AND expires_at_ms < ?";
        self.database.run(over, vec![number(expired_before_ms)?])
    }

    /// When the first call that is over would have expired, ms since the Unix epoch.
    ///
    /// # Errors
    /// If the row cannot be read.
    pub fn first_over_ms(&self) -> Result<Option<u64>, ApiError> {
        self.first_ms("state <> 'held'")
    }

    /// When the next hold expires, ms since the Unix epoch.
    ///
    /// # Errors
    /// If the row cannot be read.
    pub fn next_expiry_ms(&self) -> Result<Option<u64>, ApiError> {
        self.first_ms("state = 'held'")
    }

    fn first_ms(&self, calls: &str) -> Result<Option<u64>, ApiError> {
        let first = format!("SELECT min(expires_at_ms) AS at_ms FROM calls WHERE {calls}");
        let row: Option<TimeRow> = self.database.first(&first, vec![])?;
        Ok(row.and_then(|row| row.at_ms))
    }

    /// # Errors
    /// If the row cannot be read.
    pub fn entry(&self, kind: LedgerKind, reference: &str) -> Result<Option<LedgerEntry>, ApiError> {
        let (query, bindings) =
            (format!("{ENTRY} WHERE kind = ? AND reference = ?"), vec![name(&kind)?, reference.into()]);
        self.database.first(&query, bindings)
    }

    /// Entries, newest first.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn ledger(&self, limit: u32, before: Option<u64>) -> Result<Vec<LedgerEntry>, ApiError> {
        let query = format!("{ENTRY} WHERE id < ? ORDER BY id DESC LIMIT ?");
        let before = before.map_or(Ok(SqlStorageValue::Float(f64::MAX)), number)?;
        self.database.all(&query, vec![before, number(limit.into())?])
    }

    /// # Errors
    /// If the row cannot be read.
    pub fn fact(&self, fact: &str) -> Result<Option<String>, ApiError> {
        let row: Option<ValueRow> = self.database.first("SELECT value FROM facts WHERE name = ?", vec![fact.into()])?;
        Ok(row.map(|row| row.value))
    }

    /// # Errors
    /// If SQLite refuses.
    pub fn keep_fact(&self, fact: &str, value: &str) -> Result<(), ApiError> {
        self.database.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", vec![fact.into(), value.into()])
    }

    /// Writes changes as one transaction: all of them, or, with an error, nothing.
    ///
    /// # Errors
    /// If SQLite refuses, or a change would overdraw the account.
    pub fn commit(&self, changes: &[Change]) -> Result<(), ApiError> {
        self.database.together(|database| changes.iter().try_for_each(|change| write(database, change)))
    }
}

// === impl CallRow ===

impl CallRow {
    fn into_call(self) -> Result<CallCredits, ApiError> {
        let state = match self.state.as_str() {
            "held" => CallState::Held,
            "expired" => CallState::Expired,
            "settled" => CallState::Settled { charged: self.charged, uncollected: self.uncollected as i64 },
            other => return Err(ApiError::internal(format!("call {} is `{other}`", self.call_id))),
        };
        Ok(CallCredits {
            call_id: self.call_id,
            rate: self.rate,
            max_call_s: self.max_call_s,
            held: self.held,
            expires_at_ms: self.expires_at_ms,
            state,
        })
    }
}

/// One change, within a transaction.
fn write(database: &Database, change: &Change) -> Result<(), ApiError> {
    if let Some(entry) = &change.entry {
        let values = vec![
            number(entry.id)?,
            number(entry.at_ms)?,
            name(&entry.kind)?,
            SqlStorageValue::try_from_i64(entry.microcredits)?,
            entry.reference.as_str().into(),
        ];
        database.run("INSERT INTO ledger (id, at_ms, kind, microcredits, reference) VALUES (?, ?, ?, ?, ?)", values)?;
    }
    if let Some(call) = &change.call {
        let (state, charged, uncollected) = match call.state {
            CallState::Held => ("held", 0, 0),
            CallState::Expired => ("expired", 0, 0),
            CallState::Settled { charged, uncollected } => ("settled", charged, uncollected),
        };
        let values = vec![
            call.call_id.as_str().into(),
            SqlStorageValue::try_from_i64(call.rate)?,
            number(call.max_call_s.into())?,
            SqlStorageValue::try_from_i64(call.held)?,
            number(call.expires_at_ms)?,
            state.into(),
            SqlStorageValue::try_from_i64(charged)?,
            // Only told, never summed: a call of a thousand years may be told as a bit shorter.
            SqlStorageValue::Float(uncollected as f64),
        ];
        database.run("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)?;
    }
    let sums = &change.sums;
    let values = vec![
        SqlStorageValue::try_from_i64(sums.total)?,
        SqlStorageValue::try_from_i64(sums.held)?,
        number(sums.active_calls.into())?,
        number(sums.entries)?,
    ];
    database.run("UPDATE sums SET total = ?, held = ?, active_calls = ?, entries = ?", values)
}

/// A unit variant as its JSON name.
fn name<T: Serialize>(kind: &T) -> Result<SqlStorageValue, ApiError> {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(name)) => Ok(name.into()),
        other => Err(ApiError::internal(format!("not a name: {other:?}"))),
    }
}
