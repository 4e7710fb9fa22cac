//! `GET /v1/calls` and `GET /v1/calls/{id}`: live calls from the account's feed, ended ones from the database.
//! Nobody sees another account's call, or that there is one.

use edge_protocol::live::{CallStatus, CallSummary};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call_id;
use super::state::TranscriptLine;
use super::verbs::ReadAnswer;
use crate::accounts::database;
use crate::http::{Answer, ApiError, Call, ok};
use crate::{cache, objects};

/// Calls on a page unless `limit` says otherwise.
const PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;

#[derive(Deserialize)]
struct Row {
    summary: String,
}

#[derive(Deserialize)]
struct Transcription {
    text: String,
}

/// Some ended calls.
pub struct Page {
    pub calls: Vec<CallSummary>,
    /// `before` of the next page; `None`: there is none.
    pub next: Option<String>,
}

/// `GET /v1/calls/{call_id}`
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    call: ReadAnswer,
    /// What the recording was transcribed to after the call, if it was.
    transcription: Option<String>,
}

/// Live calls first (only on the first page), then ended ones, newest first. `before` is the `next` of the page before.
///
/// # Errors
/// A bad `limit` or `before`, or a database that does not answer.
pub async fn list(call: &Call) -> Answer {
    let account_id = call.account_id()?;
    let Page { mut calls, next } = ended(call, account_id).await?;
    if call.query("before").is_none() {
        let mut live = live(call, account_id).await;
        // A call that ended a moment ago is in both; the database knows better.
        live.retain(|live| !calls.iter().any(|ended| ended.call_id == live.call_id));
        calls.splice(..0, live);
    }
    ok(&json!({ "calls": calls, "next": next }))
}

/// An account's ended calls, newest first, as `limit` and `before` of the request say.
///
/// # Errors
/// A bad `limit` or `before`, or a database that does not answer.
pub async fn ended(call: &Call, account_id: &str) -> Result<Page, ApiError> {
    let limit = match call.query("limit") {
        None => PAGE,
        Some(limit) => limit
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_PAGE).contains(limit))
            .ok_or_else(|| ApiError::bad_request(format!("limit: must be 1 to {MAX_PAGE}")))?,
    };
    let before = call.query("before").map(cursor).transpose()?;
    let (started_at_ms, after_id) = before.unwrap_or((u64::MAX >> 11, String::new()));
    let query = "SELECT summary FROM calls WHERE account_id = ?1 AND (started_at_ms < ?2 OR (started_at_ms = ?2 AND \
         call_id < ?3)) ORDER BY started_at_ms DESC, call_id DESC LIMIT ?4";
    let values =
        [account_id.into(), database::number(started_at_ms), after_id.into(), database::number(u64::from(limit) + 1)];
    let rows: Vec<Row> = database::all(&database::database(&call.env)?, query, &values).await?;
    let more = rows.len() > limit as usize;
    let calls: Vec<CallSummary> =
        rows.iter().take(limit as usize).filter_map(|row| serde_json::from_str(&row.summary).ok()).collect();
    let next = calls.last().filter(|_| more).map(|last| format!("{}_{}", last.started_at_ms, last.call_id));
    Ok(Page { calls, next })
}

async fn live(call: &Call, account_id: &str) -> Vec<CallSummary> {
    // Ended calls are worth showing even if the feed does not answer.
    let calls: Result<Vec<CallSummary>, _> =
        objects::ask(&call.env, "LIVE_FEEDS", account_id, "calls", &json!({})).await;
    let mut calls = calls.unwrap_or_default();
    calls.retain(|call| call.status == CallStatus::Active);
    calls.sort_by_key(|call| std::cmp::Reverse(call.started_at_ms));
    calls
}

fn cursor(text: &str) -> Result<(u64, String), ApiError> {
    let parts = text.split_once('_').and_then(|(at_ms, call_id)| Some((at_ms.parse().ok()?, call_id)));
    match parts {
        Some((at_ms, id)) if at_ms < 1 << 53 && call_id::is_plausible(id) => Ok((at_ms, id.to_owned())),
        _ => Err(ApiError::bad_request("before: must be the `next` of another page")),
    }
}

/// The summary, the recording's transcription, and as long as they are kept the events and who said what.
///
/// # Errors
/// 404 if the account has no such call.
pub async fn read(call: &Call) -> Answer {
    let found = find(call).await?;
    let query = "SELECT text FROM transcripts WHERE call_id = ? AND account_id = ?";
    let values = [found.summary.call_id.as_str().into(), found.summary.account_id.as_str().into()];
    let row: Option<Transcription> = database::first(&database::database(&call.env)?, query, &values).await?;
    ok(&Shown { call: found, transcription: row.map(|row| row.text) })
}

/// The call of the path, if it is the caller's.
///
/// # Errors
/// 404 if the account has no such call.
pub async fn find(call: &Call) -> Result<ReadAnswer, ApiError> {
    let (account_id, call_id) = (call.account_id()?, call.params.get("call_id"));
    let unknown = || ApiError::not_found("no such call");
    if !call_id::is_plausible(call_id) {
        return Err(unknown());
    }
    match objects::ask::<_, ReadAnswer>(&call.env, "CALL_SESSIONS", call_id, "read", &json!({})).await {
        Ok(answer) if answer.summary.account_id == account_id => return Ok(answer),
        Ok(_) => return Err(unknown()),
        Err(error) if error.status == 404 => {}
        Err(error) => return Err(error),
    }
    // Its events are gone; its summary stays.
    let cached = cache::call_summary(&call.env, &call.context, call_id).await?;
    let summary = cached.read::<CallSummary>()?.filter(|summary| summary.account_id == account_id);
    let summary = summary.ok_or_else(unknown)?;
    Ok(ReadAnswer { summary, events: Vec::new(), transcript: Vec::<TranscriptLine>::new() })
}
