//! What a call's object keeps: its events, its state, what is still to be done, and its session's mark.
//! What they mean is `state`'s and `effects`'.

use edge_protocol::CallEvent;
use serde::Deserialize;
use worker::Storage;

use super::effects::{Effect, back_off_ms};
use super::state::CallState;
use crate::http::ApiError;
use crate::storage::{Database, json, number};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, event TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS effects (
  effect TEXT PRIMARY KEY, due_ms INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0
);";

/// The database of one call.
pub struct Store {
    database: Database,
}

#[derive(Deserialize)]
struct Value {
    value: String,
}

#[derive(Deserialize)]
struct Count {
    count: Option<f64>,
}

#[derive(Deserialize)]
struct Waiting {
    effect: String,
    tries: u32,
}

// === impl Store ===

impl Store {
    /// # Errors
    /// If SQLite refuses, here and below.
    pub fn open(storage: Storage) -> Result<Self, ApiError> {
        Ok(Self { database: Database::open(storage, SCHEMA)? })
    }

    /// The database of a call that has one: looking for it makes none.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn find(storage: Storage) -> Result<Option<Self>, ApiError> {
        let query = "SELECT name AS value FROM sqlite_master WHERE name = 'facts'";
        let tables: Vec<Value> = storage.sql().exec(query, None)?.to_array()?;
        if tables.is_empty() { Ok(None) } else { Self::open(storage).map(Some) }
    }

    /// Everything `work` writes is kept, or nothing.
    ///
    /// # Errors
    /// What `work` says.
    pub fn together<T>(&self, work: impl FnOnce(&Self) -> Result<T, ApiError>) -> Result<T, ApiError> {
        self.database.together(|_| work(self))
    }

    /// # Errors
    /// If what was kept cannot be read.
    pub fn state(&self) -> Result<Option<CallState>, ApiError> {
        self.fact("state")?.map(|text| parse(&text)).transpose()
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn keep_state(&self, state: &CallState) -> Result<(), ApiError> {
        self.database.run("INSERT OR REPLACE INTO facts VALUES ('state', ?)", vec![json(state)?])
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn fact(&self, name: &str) -> Result<Option<String>, ApiError> {
        let row: Option<Value> = self.database.first("SELECT value FROM facts WHERE name = ?", vec![name.into()])?;
        Ok(row.map(|row| row.value))
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn keep_fact(&self, name: &str, value: &str) -> Result<(), ApiError> {
        self.database.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", vec![name.into(), value.into()])
    }

    /// When everything is forgotten, ms since the Unix epoch, if it is known.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn delete_at_ms(&self) -> Result<Option<u64>, ApiError> {
        Ok(self.fact("delete_at_ms")?.and_then(|at_ms| at_ms.parse().ok()))
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn keep_delete_at_ms(&self, at_ms: u64) -> Result<(), ApiError> {
        self.keep_fact("delete_at_ms", &at_ms.to_string())
    }

    /// The number that is waited for.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn next_seq(&self) -> Result<u64, ApiError> {
        let row: Option<Count> = self.database.first("SELECT max(seq) + 1 AS count FROM events", vec![])?;
        Ok(row.and_then(|row| row.count).map_or(0, |count| count as u64))
    }

    /// # Errors
    /// If the event is there already.
    pub fn append(&self, event: &CallEvent) -> Result<(), ApiError> {
        self.database.run("INSERT INTO events VALUES (?, ?)", vec![number(event.seq)?, json(event)?])
    }

    /// # Errors
    /// If what was kept cannot be read.
    pub fn events(&self) -> Result<Vec<CallEvent>, ApiError> {
        let rows: Vec<Value> = self.database.all("SELECT event AS value FROM events ORDER BY seq", vec![])?;
        rows.iter().map(|row| parse(&row.value)).collect()
    }

    /// Notes effects that were not noted before.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn plan(&self, effects: &[Effect], now_ms: u64) -> Result<(), ApiError> {
        for effect in effects {
            let values = vec![effect.name().into(), number(now_ms)?];
            self.database.run("INSERT OR IGNORE INTO effects (effect, due_ms) VALUES (?, ?)", values)?;
        }
        Ok(())
    }

    /// Notes an effect again, done before or not: what it tells has changed.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn plan_again(&self, effect: Effect, now_ms: u64) -> Result<(), ApiError> {
        let values = vec![effect.name().into(), number(now_ms)?];
        self.database.run("INSERT OR REPLACE INTO effects (effect, due_ms) VALUES (?, ?)", values)
    }

    /// Effects that are due, and how often each was tried.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn due(&self, now_ms: u64) -> Result<Vec<(Effect, u32)>, ApiError> {
        let query = "SELECT effect, tries FROM effects WHERE done = 0 AND due_ms <= ? ORDER BY rowid";
        let rows: Vec<Waiting> = self.database.all(query, vec![number(now_ms)?])?;
        Ok(rows.into_iter().filter_map(|row| Some((named(&row.effect)?, row.tries))).collect())
    }

    /// Whether an effect was planned and is not done.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn is_open(&self, effect: Effect) -> Result<bool, ApiError> {
        let query = "SELECT effect AS value FROM effects WHERE effect = ? AND done = 0";
        Ok(self.database.first::<Value>(query, vec![effect.name().into()])?.is_some())
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn done(&self, effect: Effect) -> Result<(), ApiError> {
        self.database.run("UPDATE effects SET done = 1 WHERE effect = ?", vec![effect.name().into()])
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn later(&self, effect: Effect, tries: u32, now_ms: u64) -> Result<(), ApiError> {
        let values = vec![number(now_ms + back_off_ms(tries))?, number(tries.into())?, effect.name().into()];
        self.database.run("UPDATE effects SET due_ms = ?, tries = ? WHERE effect = ?", values)
    }

    /// When the next effect is due; `None`: all are done.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn next_due_ms(&self) -> Result<Option<u64>, ApiError> {
        let row: Option<Count> =
            self.database.first("SELECT min(due_ms) AS count FROM effects WHERE done = 0", vec![])?;
        Ok(row.and_then(|row| row.count).map(|due_ms| due_ms as u64))
    }
}

fn named(name: &str) -> Option<Effect> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    serde_json::from_str(text).map_err(|error| ApiError::internal(format!("kept, and not to be read: {error}")))
}
