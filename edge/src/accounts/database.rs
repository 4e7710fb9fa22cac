//! What accounts keep in D1, row by row, and how D1 is asked.
//! Credits are not there: they are the account object's.

use futures::FutureExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use worker::wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, D1Result, Env};

use crate::http::ApiError;
use crate::patience;

/// An account as the database has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AccountRow {
    pub account_id: String,
    pub name: String,
    pub status: String,
    pub max_calls: u32,
    pub rate_microcredits_per_second: i64,
    pub requests_per_minute: u32,
    pub retention_days: u32,
    /// JSON list of addresses.
    pub allowed_ips: String,
    pub created_at_ms: u64,
}

/// Columns of [`AccountRow`].
pub const ACCOUNT: &str = "account_id, name, status, max_calls, rate_microcredits_per_second, requests_per_minute, \
     retention_days, allowed_ips, created_at_ms";

/// # Errors
/// If there is no such binding.
pub fn database(env: &Env) -> Result<D1Database, ApiError> {
    Ok(env.d1("DB")?)
}

/// A statement with its values bound.
///
/// # Errors
/// If D1 refuses a value.
pub fn statement(
    database: &D1Database,
    query: impl Into<String>,
    values: &[JsValue],
) -> Result<D1PreparedStatement, ApiError> {
    Ok(database.prepare(query).bind(values)?)
}

/// # Errors
/// If D1 refuses the query or a row is not what was expected.
pub async fn all<T: DeserializeOwned>(
    database: &D1Database,
    query: impl Into<String>,
    values: &[JsValue],
) -> Result<Vec<T>, ApiError> {
    let statement = statement(database, query, values)?;
    let result = patience::within(patience::BINDING, "the database", statement.all().boxed_local()).await??;
    succeeded(&result)?;
    Ok(result.results()?)
}

/// The first row, if there is one.
///
/// # Errors
/// If D1 refuses the query or the row is not what was expected.
pub async fn first<T: DeserializeOwned>(
    database: &D1Database,
    query: impl Into<String>,
    values: &[JsValue],
) -> Result<Option<T>, ApiError> {
    Ok(all(database, query, values).await?.into_iter().next())
}

/// Runs a statement; how many rows it changed.
///
/// # Errors
/// If D1 refuses it.
pub async fn run(database: &D1Database, query: impl Into<String>, values: &[JsValue]) -> Result<usize, ApiError> {
    let statement = statement(database, query, values)?;
    let result = patience::within(patience::BINDING, "the database", statement.run().boxed_local()).await??;
    succeeded(&result)?;
    Ok(result.meta()?.and_then(|meta| meta.changes).unwrap_or(0))
}

/// What a call of the account costs, microcredits per second.
///
/// # Errors
/// 404 if there is no such account.
pub async fn rate(env: &Env, account_id: &str) -> Result<i64, ApiError> {
    Ok(account(&database(env)?, account_id).await?.rate_microcredits_per_second)
}

/// # Errors
/// 404 if there is no such account.
pub async fn account(database: &D1Database, account_id: &str) -> Result<AccountRow, ApiError> {
    let query = format!("SELECT {ACCOUNT} FROM accounts WHERE account_id = ?");
    let row = first(database, query, &[account_id.into()]).await?;
    row.ok_or_else(|| ApiError::not_found(format!("no account {account_id}")))
}

/// A number as D1 takes it.
pub fn number(value: u64) -> JsValue {
    JsValue::from_f64(value as f64)
}

fn succeeded(result: &D1Result) -> Result<(), ApiError> {
    match result.error() {
        None => Ok(()),
        Some(error) => Err(ApiError::internal(error)),
    }
}
