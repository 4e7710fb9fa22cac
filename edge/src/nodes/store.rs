//! What the node registry keeps: reports, which version a node ran when, shares, counts, commands.
//! What is made of them is `routing`'s, `stats`' and `rollout`'s.

use std::collections::BTreeMap;

use edge_protocol::link::{EdgeCommand, Heartbeat};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use worker::Storage;

use super::routing::Weights;
use super::stats::{EndedCall, VersionStats};
use crate::http::ApiError;
use crate::storage::{Database, json, number};

/// A node not heard of for so long is forgotten, ms.
const NODE_MS: u64 = 86_400_000;
/// That a call was counted, and what became of a command, is remembered so long, ms.
const REMEMBERED_MS: u64 = 7 * 86_400_000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS nodes (
  node TEXT PRIMARY KEY, heartbeat TEXT NOT NULL, seen_at_ms INTEGER NOT NULL, sent INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS drains (node TEXT PRIMARY KEY, command_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS undrains (node TEXT PRIMARY KEY, command_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS node_versions (
  node TEXT NOT NULL, version TEXT NOT NULL, since_ms INTEGER NOT NULL, PRIMARY KEY (node, since_ms)
);
CREATE TABLE IF NOT EXISTS weights (version TEXT PRIMARY KEY, weight INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS versions (version TEXT PRIMARY KEY, stats TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counted (call_id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS counted_by_time ON counted (at_ms);
CREATE TABLE IF NOT EXISTS commands (
  command_id TEXT PRIMARY KEY, node TEXT NOT NULL, command TEXT NOT NULL, at_ms INTEGER NOT NULL, result TEXT
);";

/// The registry's database.
pub struct Store {
    database: Database,
}

/// A node as it is kept.
pub struct KnownNode {
    pub heartbeat: Heartbeat,
    pub seen_at_ms: u64,
    /// Calls sent there since its last report.
    pub sent: u32,
    /// The command that drains it, if it is to be drained.
    pub drain: Option<String>,
    /// The command that ends its draining, until the node has said what became of it.
    pub undrain: Option<String>,
}

#[derive(Deserialize)]
struct NodeRow {
    heartbeat: String,
    seen_at_ms: u64,
    sent: u32,
    drain: Option<String>,
    undrain: Option<String>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Weight {
    version: String,
    weight: u32,
}

// === impl Store ===

impl Store {
    /// # Errors
    /// If SQLite refuses, here and below.
    pub fn open(storage: Storage) -> Result<Self, ApiError> {
        Ok(Self { database: Database::open(storage, SCHEMA)? })
    }

    /// Nodes by name.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn nodes(&self) -> Result<Vec<KnownNode>, ApiError> {
        let query = "SELECT heartbeat, seen_at_ms, sent, drains.command_id AS drain, undrains.command_id AS undrain \
             FROM nodes LEFT JOIN drains USING (node) LEFT JOIN undrains USING (node) ORDER BY node";
        let rows: Vec<NodeRow> = self.database.all(query, vec![])?;
        rows.into_iter()
            .map(|NodeRow { heartbeat, seen_at_ms, sent, drain, undrain }| {
                Ok(KnownNode { heartbeat: parse(&heartbeat)?, seen_at_ms, sent, drain, undrain })
            })
            .collect()
    }

    /// A node reported.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn report(&self, heartbeat: &Heartbeat, now_ms: u64) -> Result<(), ApiError> {
        let node = heartbeat.node.as_str();
        self.database.together(|database| {
            let values = vec![node.into(), json(heartbeat)?, number(now_ms)?];
            database.run("INSERT OR REPLACE INTO nodes (node, heartbeat, seen_at_ms) VALUES (?, ?, ?)", values)?;
            let query = "SELECT node AS name, version AS value FROM node_versions WHERE node = ? \
                 ORDER BY since_ms DESC LIMIT 1";
            let running: Option<Pair> = database.first(query, vec![node.into()])?;
            if running.is_none_or(|running| running.value != heartbeat.version) {
                let since_ms = now_ms.saturating_sub(heartbeat.uptime_s * 1000);
                let values = vec![node.into(), heartbeat.version.as_str().into(), number(since_ms)?];
                database.run("INSERT OR REPLACE INTO node_versions VALUES (?, ?, ?)", values)?;
                let long_ago = number(now_ms.saturating_sub(NODE_MS))?;
                database.run("DELETE FROM nodes WHERE seen_at_ms < ?", vec![long_ago])?;
            }
            Ok(())
        })
    }

    /// A call was sent to a node.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn sent(&self, node: &str) -> Result<(), ApiError> {
        self.database.run("UPDATE nodes SET sent = sent + 1 WHERE node = ?", vec![node.into()])
    }

    /// `command_id` drains the node from now on, or no longer: what was wanted before is not wanted any more.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn keep_drain(&self, node: &str, drain: bool, command_id: &str) -> Result<(), ApiError> {
        let (wanted, other) = if drain { ("drains", "undrains") } else { ("undrains", "drains") };
        self.database.together(|database| {
            database.run(&format!("DELETE FROM {other} WHERE node = ?"), vec![node.into()])?;
            let insert = format!("INSERT OR REPLACE INTO {wanted} VALUES (?, ?)");
            database.run(&insert, vec![node.into(), command_id.into()])
        })
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn weights(&self) -> Result<Weights, ApiError> {
        let rows: Vec<Weight> = self.database.all("SELECT version, weight FROM weights", vec![])?;
        Ok(rows.into_iter().map(|row| (row.version, row.weight)).collect())
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn keep_weights(&self, weights: &Weights) -> Result<(), ApiError> {
        self.database.together(|database| {
            database.run("DELETE FROM weights", vec![])?;
            for (version, weight) in weights {
                let values = vec![version.as_str().into(), number((*weight).into())?];
                database.run("INSERT INTO weights VALUES (?, ?)", values)?;
            }
            Ok(())
        })
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn stats(&self) -> Result<BTreeMap<String, VersionStats>, ApiError> {
        let rows: Vec<Pair> = self.database.all("SELECT version AS name, stats AS value FROM versions", vec![])?;
        rows.into_iter().map(|row| Ok((row.name, parse(&row.value)?))).collect()
    }

    /// Counts a call, once.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn count(&self, call: &EndedCall, now_ms: u64) -> Result<(), ApiError> {
        self.database.together(|database| {
            let known = "SELECT call_id AS name, '' AS value FROM counted WHERE call_id = ?";
            if database.first::<Pair>(known, vec![call.call_id.as_str().into()])?.is_some() {
                return Ok(());
            }
            let values = vec![call.call_id.as_str().into(), number(now_ms)?];
            database.run("INSERT INTO counted VALUES (?, ?)", values)?;
            let long_ago = number(now_ms.saturating_sub(REMEMBERED_MS))?;
            database.run("DELETE FROM counted WHERE at_ms < ?", vec![long_ago])?;
            // The version that ran when the call began; without a report from then, the one known.
            let query = "SELECT node AS name, version AS value FROM node_versions WHERE node = ?1 \
                 ORDER BY since_ms > ?2, abs(since_ms - ?2) LIMIT 1";
            let values = vec![call.node.as_str().into(), number(call.started_at_ms)?];
            let version = database.first::<Pair>(query, values)?.map_or_else(|| "unknown".to_owned(), |row| row.value);
            let query = "SELECT version AS name, stats AS value FROM versions WHERE version = ?";
            let mut stats: VersionStats = match database.first::<Pair>(query, vec![version.as_str().into()])? {
                Some(row) => parse(&row.value)?,
                None => VersionStats::default(),
            };
            stats.add(call);
            database.run("INSERT OR REPLACE INTO versions VALUES (?, ?)", vec![version.into(), json(&stats)?])
        })
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn keep_command(&self, node: &str, command: &EdgeCommand, now_ms: u64) -> Result<(), ApiError> {
        let values = vec![command.command_id.as_str().into(), node.into(), json(&command.command)?, number(now_ms)?];
        let insert = "INSERT OR IGNORE INTO commands (command_id, node, command, at_ms) VALUES (?, ?, ?, ?)";
        self.database.run(insert, values)?;
        let long_ago = number(now_ms.saturating_sub(REMEMBERED_MS))?;
        self.database.run("DELETE FROM commands WHERE at_ms < ?", vec![long_ago])
    }

    /// What became of a command: "done", or what went wrong.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn keep_result(&self, node: &str, command_id: &str, result: &str) -> Result<(), ApiError> {
        self.database.together(|database| {
            let update = "UPDATE commands SET result = ? WHERE command_id = ? AND node = ?";
            database.run(update, vec![result.into(), command_id.into(), node.into()])?;
            let heard = "DELETE FROM undrains WHERE node = ? AND command_id = ?";
            database.run(heard, vec![node.into(), command_id.into()])
        })
    }

    /// # Errors
    /// See [`Self::open`].
    pub fn result(&self, command_id: &str) -> Result<Option<String>, ApiError> {
        let query = "SELECT command_id AS name, coalesce(result, '') AS value FROM commands WHERE command_id = ?";
        let row: Option<Pair> = self.database.first(query, vec![command_id.into()])?;
        Ok(row.map(|row| row.value).filter(|result| !result.is_empty()))
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    serde_json::from_str(text).map_err(|error| ApiError::internal(format!("kept, and not to be read: {error}")))
}
