//! How often one address or account has asked. Memory is the truth while the object lives; SQLite outlives it.
//! The rule is `window`'s.

use std::cell::{Cell, RefCell};

use serde::{Deserialize, Serialize};
use worker::{DurableObject, Env, Request, Response, SqlStorageValue, State, durable_object};

use super::window::{Verdict, Window};
use crate::http::ApiError;
use crate::{clock, objects};

/// The question `check`, answered with a [`Verdict`]. The object's own clock counts.
#[derive(Debug, Serialize, Deserialize)]
pub struct Check {
    pub limit: u32,
    pub window_ms: u64,
}

#[durable_object]
pub struct RateLimiter {
    state: State,
    /// `None` until it was read from SQLite.
    window: RefCell<Option<Window>>,
    /// Whether the clean-up is set, as far as this instance knows.
    sweep_set: Cell<bool>,
}

#[derive(Deserialize)]
struct Pass {
    at_ms: u64,
}

#[derive(Deserialize)]
struct Last {
    until_ms: Option<u64>,
}

impl DurableObject for RateLimiter {
    fn new(state: State, _env: Env) -> Self {
        Self { state, window: RefCell::new(None), sweep_set: Cell::new(false) }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        objects::answer(match objects::verb(&request).as_str() {
            "check" => self.check(&mut request).await,
            other => Err(ApiError::not_found(other)),
        })
    }

    /// Forgets what no longer counts; with nothing left, that there ever was something.
    async fn alarm(&self) -> worker::Result<Response> {
        let storage = self.state.storage();
        let sql = storage.sql();
        let now_ms = clock::now_ms();
        create(&self.state)?;
        sql.exec("DELETE FROM passes WHERE until_ms <= ?", vec![integer(now_ms)?])?;
        let last = sql.exec("SELECT MAX(until_ms) AS until_ms FROM passes", None)?.to_array::<Last>()?;
        match last.first().and_then(|row| row.until_ms) {
            Some(until_ms) => {
                let wait_ms = i64::try_from(until_ms.saturating_sub(now_ms)).unwrap_or(0).max(1_000);
                storage.set_alarm(wait_ms).await?;
            }
            None => {
                // Everything in memory has left the window too.
                self.window.replace(None);
                self.sweep_set.set(false);
                storage.delete_all().await?;
            }
        }
        Response::empty()
    }
}

// === impl RateLimiter ===

impl RateLimiter {
    async fn check(&self, request: &mut Request) -> Result<Verdict, ApiError> {
        let Check { limit, window_ms } = objects::question(request).await?;
        let now_ms = clock::now_ms();
        // From here to the insert nothing waits: checks are one after the other.
        let verdict = {
            let mut window = self.window.borrow_mut();
            let window = match window.as_mut() {
                Some(window) => window,
                None => window.insert(self.restore(now_ms)?),
            };
            let verdict = window.check(limit, window_ms, now_ms);
            if verdict.allowed {
                let at_ms = window.last_pass().unwrap_or(now_ms);
                self.state.storage().sql().exec(
                    "INSERT INTO passes (at_ms, until_ms) VALUES (?, ?)",
                    vec![integer(at_ms)?, integer(at_ms.saturating_add(window_ms))?],
                )?;
            }
            verdict
        };
        if verdict.allowed && !self.sweep_set.replace(true) && self.state.storage().get_alarm().await?.is_none() {
            self.state.storage().set_alarm(i64::try_from(window_ms).unwrap_or(i64::MAX)).await?;
        }
        Ok(verdict)
    }

    fn restore(&self, now_ms: u64) -> Result<Window, ApiError> {
        create(&self.state)?;
        let passes = self
            .state
            .storage()
            .sql()
            .exec("SELECT at_ms FROM passes WHERE until_ms > ?", vec![integer(now_ms)?])?
            .to_array::<Pass>()?;
        Ok(Window::restore(passes.into_iter().map(|pass| pass.at_ms)))
    }
}

fn create(state: &State) -> worker::Result<()> {
    let table = "CREATE TABLE IF NOT EXISTS passes (at_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL)";
    state.storage().sql().exec(table, None).map(|_| ())
}

fn integer(value: u64) -> worker::Result<SqlStorageValue> {
    SqlStorageValue::try_from_i64(i64::try_from(value).unwrap_or(i64::MAX))
}
