//! `/v1/account` and its ledger, as its people see them; `/v1/admin/accounts`, as admins do.
//! Money itself is moved by the account object.

use edge_protocol::accounts::Balance;
use serde::{Deserialize, Serialize};
use worker::Env;
use worker::wasm_bindgen::JsValue;

use super::bounded;
use super::credits::MAX_RATE;
use super::database::{self, ACCOUNT, AccountRow, database, number};
use super::lookup;
use super::object::MAX_LEDGER_ENTRIES;
use super::verbs::{BalanceQuestion, EnterQuestion, LedgerAnswer, LedgerQuestion};
use crate::http::{Answer, ApiError, Call, ok};
use crate::limits::addresses::AllowList;
use crate::{id, objects};

/// Longest name of an account, characters.
const MAX_NAME: usize = 80;
/// Longest reference of a grant or refund, bytes.
const MAX_REFERENCE: usize = 128;
/// Most calls an account may have at the same time.
const MAX_CALLS: u64 = 100_000;
/// Most requests an account may make in a minute.
const MAX_REQUESTS_PER_MINUTE: u64 = 1_000_000;
/// Longest time recordings are kept, days: ten years.
const MAX_RETENTION_DAYS: u64 = 3_650;
/// Most addresses an account's API keys may be bound to.
const MAX_ALLOWED_IPS: usize = 64;
/// Accounts in one answer.
const ACCOUNTS_A_PAGE: u32 = 200;

/// An account as it is shown.
#[derive(Serialize)]
struct Shown {
    account_id: String,
    name: String,
    status: String,
    max_calls: u32,
    rate_microcredits_per_second: i64,
    requests_per_minute: u32,
    retention_days: u32,
    allowed_ips: Vec<String>,
    created_at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<Balance>,
}

#[derive(Serialize)]
struct List {
    accounts: Vec<Shown>,
}

/// `POST /v1/admin/accounts` names at least `name`; `PATCH` what is to change.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    name: Option<String>,
    status: Option<Status>,
    max_calls: Option<u64>,
    rate_microcredits_per_second: Option<i64>,
    requests_per_minute: Option<u64>,
    retention_days: Option<u64>,
    /// Addresses and networks: `192.0.2.1`, `2001:db8::/32`.
    allowed_ips: Option<Vec<String>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Active,
    Suspended,
}

/// `GET /v1/account`
///
/// # Errors
/// If D1 or the account object does not answer.
pub async fn read(call: &Call) -> Answer {
    let account_id = call.account_id()?;
    let row = database::account(&database(&call.env)?, account_id).await?;
    ok(&Shown { balance: Some(balance(&call.env, account_id).await?), ..row.shown() })
}

/// `GET /v1/account/ledger?limit&before`, newest first.
///
/// # Errors
/// If the account object does not answer.
pub async fn ledger(call: &Call) -> Answer {
    let limit = parsed(call, "limit")?.unwrap_or(100);
    if limit == 0 || limit > MAX_LEDGER_ENTRIES {
        return Err(ApiError::bad_request(format!("limit: must be 1 to {MAX_LEDGER_ENTRIES}")));
    }
    let before = parsed::<u32>(call, "before")?.map(u64::from);
    let question = LedgerQuestion { limit, before };
    let answer: LedgerAnswer = objects::ask(&call.env, "ACCOUNTS", call.account_id()?, "ledger", &question).await?;
    ok(&answer)
}

/// `GET /v1/admin/accounts?after`: by id, a page at a time.
///
/// # Errors
/// If D1 does not answer.
pub async fn list(call: &Call) -> Answer {
    let query = format!("SELECT {ACCOUNT} FROM accounts WHERE account_id > ? ORDER BY account_id LIMIT ?");
    let values = [call.query("after").unwrap_or_default().into(), number(ACCOUNTS_A_PAGE.into())];
    let rows: Vec<AccountRow> = database::all(&database(&call.env)?, query, &values).await?;
    ok(&List { accounts: rows.into_iter().map(AccountRow::shown).collect() })
}

/// `POST /v1/admin/accounts`
///
/// # Errors
/// 400 naming the field that is not right.
pub async fn create(call: &Call) -> Answer {
    let fields: Fields = call.json()?;
    if fields.name.is_none() {
        return Err(ApiError::bad_request("missing field `name`"));
    }
    let (account_id, database) = (id::random("acc"), database(&call.env)?);
    let (mut columns, mut values) =
        (vec!["account_id", "created_at_ms"], vec![account_id.as_str().into(), number(call.now_ms)]);
    for (column, value) in fields.columns()? {
        columns.push(column);
        values.push(value);
    }
    let marks = vec!["?"; columns.len()].join(", ");
    let insert = format!("INSERT INTO accounts ({}) VALUES ({marks})", columns.join(", "));
    database::run(&database, insert, &values).await?;
    let row = database::account(&database, &account_id).await?;
    Ok(ok(&row.shown())?.with_status(201))
}

/// `PATCH /v1/admin/accounts/{account_id}`
///
/// # Errors
/// 400 naming the field that is not right, 404 if there is no such account.
pub async fn change(call: &Call) -> Answer {
    let fields: Fields = call.json()?;
    let (account_id, database) = (call.params.get("account_id"), database(&call.env)?);
    let columns = fields.columns()?;
    if !columns.is_empty() {
        let (names, mut values): (Vec<String>, Vec<JsValue>) =
            columns.into_iter().map(|(column, value)| (format!("{column} = ?"), value)).unzip();
        values.push(account_id.into());
        let update = format!("UPDATE accounts SET {} WHERE account_id = ?", names.join(", "));
        database::run(&database, update, &values).await?;
        lookup::forget();
    }
    let row = database::account(&database, account_id).await?;
    ok(&Shown { balance: Some(balance(&call.env, account_id).await?), ..row.shown() })
}

/// `POST /v1/admin/accounts/{account_id}/grants` and `…/refunds`: the balance after it. The same reference is entered
/// once.
///
/// # Errors
/// 400 for an amount or reference that is not right, 404 if there is no such account, 409 if the reference was used
/// for another amount.
pub async fn enter(call: &Call, verb: &str) -> Answer {
    let question: EnterQuestion = call.json()?;
    bounded("reference", &question.reference, 1, MAX_REFERENCE)?;
    let account_id = call.params.get("account_id");
    database::account(&database(&call.env)?, account_id).await?;
    let balance: Balance = objects::ask(&call.env, "ACCOUNTS", account_id, verb, &question).await?;
    ok(&balance)
}

async fn balance(env: &Env, account_id: &str) -> Result<Balance, ApiError> {
    objects::ask(env, "ACCOUNTS", account_id, "balance", &BalanceQuestion {}).await
}

fn parsed<T: std::str::FromStr>(call: &Call, name: &str) -> Result<Option<T>, ApiError> {
    let Some(text) = call.query(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| ApiError::bad_request(format!("{name}: `{text}` is no number")))
}

// === impl AccountRow ===

impl AccountRow {
    fn shown(self) -> Shown {
        Shown {
            account_id: self.account_id,
            name: self.name,
            status: self.status,
            max_calls: self.max_calls,
            rate_microcredits_per_second: self.rate_microcredits_per_second,
            requests_per_minute: self.requests_per_minute,
            retention_days: self.retention_days,
            allowed_ips: serde_json::from_str(&self.allowed_ips).unwrap_or_default(),
            created_at_ms: self.created_at_ms,
            balance: None,
        }
    }
}

// === impl Fields ===

impl Fields {
    /// The columns that are named, with what goes into them.
    fn columns(self) -> Result<Vec<(&'static str, JsValue)>, ApiError> {
        let mut columns = Vec::new();
        if let Some(name) = self.name {
            bounded("name", &name, 1, MAX_NAME)?;
            columns.push(("name", name.trim().into()));
        }
        if let Some(status) = self.status {
            let status = match status {
                Status::Active => "active",
                Status::Suspended => "suspended",
            };
            columns.push(("status", status.into()));
        }
        let rate = self.rate_microcredits_per_second.map(u64::try_from).transpose();
        let rate = rate.map_err(|_| ApiError::bad_request("rate_microcredits_per_second: must not be negative"))?;
        for (column, value, least, most) in [
            ("max_calls", self.max_calls, 0, MAX_CALLS),
            ("rate_microcredits_per_second", rate, 0, MAX_RATE.unsigned_abs()),
            ("requests_per_minute", self.requests_per_minute, 1, MAX_REQUESTS_PER_MINUTE),
            ("retention_days", self.retention_days, 1, MAX_RETENTION_DAYS),
        ] {
            let Some(value) = value else { continue };
            if !(least..=most).contains(&value) {
                return Err(ApiError::bad_request(format!("{column}: {value}; must be {least} to {most}")));
            }
            columns.push((column, number(value)));
        }
        if let Some(addresses) = self.allowed_ips {
            if addresses.len() > MAX_ALLOWED_IPS {
                return Err(ApiError::bad_request(format!("allowed_ips: at most {MAX_ALLOWED_IPS}")));
            }
            AllowList::parse(addresses.iter().map(String::as_str))
                .map_err(|error| ApiError::bad_request(format!("allowed_ips: {error}")))?;
            let json = serde_json::to_string(&addresses).map_err(|error| ApiError::internal(error.to_string()))?;
            columns.push(("allowed_ips", json.into()));
        }
        Ok(columns)
    }
}
