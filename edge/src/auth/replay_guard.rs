//! Remembers the signatures of signed requests until they are too old to be used again, in memory and, in batches, in
//! SQLite. A write a request would cost a sync to disk a request. What makes a signature good is `signed`'s.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use worker::{Delay, DurableObject, Env, Request, Response, State, durable_object};

use super::seen::Seen;
use crate::http::ApiError;
use crate::storage::{Database, json, number};
use crate::{clock, objects};

/// How long a signature is in memory alone, unless its question is `durable`. An object that dies forgets those of this
/// time: an engine's request sent again then is let through, and changes nothing, for engines' requests are done once
/// by call, sequence number or upload.
const WRITE_EVERY: Duration = Duration::from_millis(500);
/// Most signatures at a time: some 50 MiB, and 1,600 requests a second for as long as each is remembered.
const ROOM: usize = 500_000;
/// Signatures in one statement: bound text has 2 MB at most.
const STEP: usize = 10_000;

const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS seen (signature TEXT PRIMARY KEY, until_ms INTEGER NOT NULL) WITHOUT ROWID";

/// The question `first_time`, answered with true or false.
#[derive(Debug, Serialize, Deserialize)]
pub struct FirstTime {
    /// 64 hex digits.
    pub signature: String,
    /// Milliseconds since the Unix epoch; nobody takes the signature for good later.
    pub until_ms: u64,
    /// Written down before it is answered.
    pub durable: bool,
}

/// Which guard remembers a signature. Few: each writes for itself, and one could do for thousands of requests a second.
pub fn shard(signature: &str) -> &'static str {
    match signature.as_bytes().first() {
        Some(b'0'..=b'3') => "0",
        Some(b'4'..=b'7') => "1",
        Some(b'8' | b'9' | b'a' | b'b') => "2",
        _ => "3",
    }
}

/// One of four, named by [`shard`].
#[durable_object]
pub struct ReplayGuard {
    guard: Rc<Guard>,
}

struct Guard {
    state: State,
    /// `None` until SQLite could be read; tried again with every question.
    memory: RefCell<Option<Memory>>,
    /// A write is to come.
    writing: Cell<bool>,
}

struct Memory {
    seen: Seen,
    database: Database,
}

#[derive(Deserialize)]
struct Row {
    signature: String,
    until_ms: u64,
}

impl DurableObject for ReplayGuard {
    fn new(state: State, _env: Env) -> Self {
        Self { guard: Rc::new(Guard { state, memory: RefCell::default(), writing: Cell::default() }) }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        objects::answer(match objects::verb(&request).as_str() {
            "first_time" => self.guard.first_time(&mut request).await,
            other => Err(ApiError::not_found(other)),
        })
    }
}

// === impl Guard ===

impl Guard {
    async fn first_time(self: &Rc<Self>, request: &mut Request) -> Result<bool, ApiError> {
        let FirstTime { signature, until_ms, durable } = objects::question(request).await?;
        let new = self.with_memory(|memory| {
            let new = memory.seen.first_time(&signature, until_ms);
            let new = new.map_err(|full| ApiError::unavailable(full.to_string()))?;
            if new && durable {
                memory.write(clock::now_ms())?;
            }
            Ok(new)
        })?;
        if new && !durable {
            self.write_soon();
        }
        Ok(new)
    }

    /// Writes after a while what came until then, all at once.
    fn write_soon(self: &Rc<Self>) {
        if self.writing.replace(true) {
            return;
        }
        let guard = Rc::clone(self);
        self.state.wait_until(async move {
            Delay::from(WRITE_EVERY).await;
            guard.writing.set(false);
            if let Err(error) = guard.with_memory(|memory| memory.write(clock::now_ms())) {
                worker::console_error!("replay guard: signatures are in memory alone: {}", error.message);
            }
        });
    }

    fn with_memory<T>(&self, work: impl FnOnce(&mut Memory) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let mut memory = self.memory.borrow_mut();
        let memory = match &mut *memory {
            Some(memory) => memory,
            empty => empty.insert(Memory::load(&self.state, clock::now_ms())?),
        };
        work(memory)
    }
}

// === impl Memory ===

impl Memory {
    fn load(state: &State, now_ms: u64) -> Result<Self, ApiError> {
        let database = Database::open(state.storage(), SCHEMA)?;
        let mut seen = Seen::new(ROOM);
        let query = "SELECT signature, until_ms FROM seen WHERE until_ms >= ?";
        for Row { signature, until_ms } in database.all(query, vec![number(now_ms)?])? {
            seen.load(signature, until_ms);
        }
        Ok(Self { seen, database })
    }

    /// Writes down what is not yet; what fails is tried again with the next.
    fn write(&mut self, now_ms: u64) -> Result<(), ApiError> {
        let insert = "INSERT OR IGNORE INTO seen SELECT value ->> 0, value ->> 1 FROM json_each(?)";
        let too_old = if self.seen.sweep(now_ms) { Some(number(now_ms)?) } else { None };
        self.database.together(|database| {
            for some in self.seen.unwritten().chunks(STEP) {
                database.run(insert, vec![json(&some)?])?;
            }
            if let Some(now) = too_old {
                database.run("DELETE FROM seen WHERE until_ms < ?", vec![now])?;
            }
            Ok(())
        })?;
        self.seen.written();
        Ok(())
    }
}
