//! Where values come from: rows of D1, asked again with growing pauses.
//! Which values there are is `entry`'s.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use worker::{Delay, Env};

use super::entry::{Entry, Source, back_off_ms};
use crate::clock;
use crate::http::ApiError;
use crate::recordings;

#[derive(Deserialize)]
struct Text {
    text: String,
}

/// The value at its source; `None` if it has none.
///
/// # Errors
/// The last try's.
pub async fn read(env: &Env, source: &Source) -> Result<Option<Entry>, ApiError> {
    let mut tries = 0;
    loop {
        let outcome = value(env, source).await;
        tries += 1;
        match (outcome, back_off_ms(tries)) {
            (Ok(value), _) => return Ok(value.map(|value| Entry::new(source, value, clock::now_ms()))),
            (Err(error), None) => return Err(error),
            (Err(_), Some(pause_ms)) => Delay::from(Duration::from_millis(pause_ms)).await,
        }
    }
}

async fn value(env: &Env, source: &Source) -> Result<Option<Value>, ApiError> {
    match source {
        Source::CallSummary { call_id } => {
            json(env, "SELECT summary AS text FROM calls WHERE call_id = ?", call_id).await
        }
        Source::Recording { call_id } => {
            let recording = recordings::recording(env, call_id).await?;
            recording.map(serde_json::to_value).transpose().map_err(|e| ApiError::internal(e.to_string()))
        }
    }
}

async fn json(env: &Env, sql: &str, id: &str) -> Result<Option<Value>, ApiError> {
    let row: Option<Text> = env.d1("DB")?.prepare(sql).bind(&[id.into()])?.first(None).await?;
    row.map(|row| serde_json::from_str(&row.text)).transpose().map_err(|e| ApiError::internal(format!("{id}: {e}")))
}
