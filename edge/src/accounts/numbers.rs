//! `/v1/numbers`: which of the account's profiles answers which number. Admins provide numbers and trunks.
//! How a number is written is `dialled`'s.

use serde::{Deserialize, Serialize};
use worker::wasm_bindgen::JsValue;
use worker::{D1Database, Response};

use super::database::{self, database, number};
use super::{dialled, lookup};
use crate::auth::settings::is_dev;
use crate::http::{Answer, ApiError, Call, ok};

/// Most numbers of an account.
const MAX_NUMBERS: u32 = 1_000;

/// A number and the profile that answers it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Number {
    number: String,
    profile_id: String,
}

#[derive(Serialize)]
struct List {
    numbers: Vec<Number>,
}

/// `POST /v1/admin/numbers`: without an account the number is free for whoever claims it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdminNumber {
    number: String,
    #[serde(default)]
    account_id: Option<String>,
    #[serde(default)]
    profile_id: Option<String>,
}

/// `POST /v1/admin/trunks`: calls from this address to numbers nobody has are this profile's.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trunk {
    address: String,
    account_id: String,
    profile_id: String,
}

/// `GET /v1/numbers`
///
/// # Errors
/// If D1 does not answer.
pub async fn list(call: &Call) -> Answer {
    let query = "SELECT number, profile_id FROM numbers WHERE account_id = ? ORDER BY number";
    let numbers = database::all(&database(&call.env)?, query, &[call.account_id()?.into()]).await?;
    ok(&List { numbers })
}

/// `POST /v1/numbers`: claims a number that is free, or gives one of the account's to another of its profiles. On a
/// development machine every number that nobody has is free, elsewhere those an admin provided.
///
/// # Errors
/// 400 for what is no number, 404 if the profile is not the account's or the number not free.
pub async fn claim(call: &Call) -> Answer {
    let Number { number, profile_id } = call.json()?;
    let (number, account_id, database) = (normal(&number)?, call.account_id()?, database(&call.env)?);
    own_profile(&database, account_id, &profile_id).await?;
    assign(&database, &number, account_id, &profile_id, is_dev(&call.env)).await?;
    Ok(ok(&Number { number, profile_id })?.with_status(201))
}

/// `DELETE /v1/numbers/{number}`: it is free again.
///
/// # Errors
/// 404 if the account has no such number.
pub async fn release(call: &Call) -> Answer {
    let written = call.params.get("number").replace("%2B", "+").replace("%2b", "+").replace("%23", "#");
    let number = normal(&written)?;
    let delete = "DELETE FROM numbers WHERE number = ? AND account_id = ?";
    let values: [JsValue; 2] = [number.as_str().into(), call.account_id()?.into()];
    if database::run(&database(&call.env)?, delete, &values).await? == 0 {
        return Err(ApiError::not_found(format!("no number {number}")));
    }
    lookup::forget();
    Ok(Response::empty()?.with_status(204))
}

/// `POST /v1/admin/numbers`
///
/// # Errors
/// 400 for what is no number, 404 for a profile that is not the account's, 409 if another account has the number.
pub async fn provide(call: &Call) -> Answer {
    let body: AdminNumber = call.json()?;
    let (number, database) = (normal(&body.number)?, database(&call.env)?);
    let provide = "INSERT INTO provided_numbers (number, provided_at_ms) VALUES (?, ?) ON CONFLICT DO NOTHING";
    match (body.account_id, body.profile_id) {
        (None, None) => {
            database::run(&database, provide, &[number.as_str().into(), database::number(call.now_ms)]).await?;
            Ok(ok(&serde_json::json!({ "number": number }))?.with_status(201))
        }
        (Some(account_id), Some(profile_id)) => {
            own_profile(&database, &account_id, &profile_id).await?;
            database::run(&database, provide, &[number.as_str().into(), database::number(call.now_ms)]).await?;
            assign(&database, &number, &account_id, &profile_id, true).await?;
            Ok(ok(&Number { number, profile_id })?.with_status(201))
        }
        _ => Err(ApiError::bad_request("account_id and profile_id: both, or neither")),
    }
}

/// `POST /v1/admin/trunks`
///
/// # Errors
/// 400 for what is no address, 404 for a profile that is not the account's.
pub async fn trunk(call: &Call) -> Answer {
    let Trunk { address, account_id, profile_id } = call.json()?;
    let address = dialled::trunk_address(&address)
        .ok_or_else(|| ApiError::bad_request(format!("address: `{address}` is no IP address")))?;
    let database = database(&call.env)?;
    own_profile(&database, &account_id, &profile_id).await?;
    let upsert = "INSERT INTO trunks (address, account_id, profile_id) VALUES (?1, ?2, ?3) \
         ON CONFLICT (address) DO UPDATE SET account_id = ?2, profile_id = ?3";
    let values: [JsValue; 3] = [address.as_str().into(), account_id.as_str().into(), profile_id.as_str().into()];
    database::run(&database, upsert, &values).await?;
    lookup::forget();
    Ok(ok(&Trunk { address, account_id, profile_id })?.with_status(201))
}

/// One statement decides who gets the number, however many want it.
async fn assign(
    database: &D1Database,
    number: &str,
    account_id: &str,
    profile_id: &str,
    any: bool,
) -> Result<(), ApiError> {
    let upsert = "INSERT INTO numbers (number, account_id, profile_id) SELECT ?1, ?2, ?3 \
         WHERE (?4 OR EXISTS (SELECT 1 FROM provided_numbers WHERE number = ?1) \
                   OR EXISTS (SELECT 1 FROM numbers WHERE number = ?1 AND account_id = ?2)) \
         AND (SELECT count(*) FROM numbers WHERE account_id = ?2 AND number <> ?1) < ?5 \
         AND EXISTS (SELECT 1 FROM profiles WHERE profile_id = ?3 AND account_id = ?2 AND deleted_at_ms IS NULL) \
         ON CONFLICT (number) DO UPDATE SET profile_id = ?3 WHERE account_id = ?2";
    let values = [
        number.into(),
        account_id.into(),
        profile_id.into(),
        self::number(any.into()),
        self::number(MAX_NUMBERS.into()),
    ];
    if database::run(database, upsert, &values).await? == 0 {
        return Err(ApiError::conflict(format!("{number} is not free, or the account has {MAX_NUMBERS} numbers")));
    }
    lookup::forget();
    Ok(())
}

async fn own_profile(database: &D1Database, account_id: &str, profile_id: &str) -> Result<(), ApiError> {
    let query = "SELECT 1 AS found FROM profiles WHERE profile_id = ? AND account_id = ? AND deleted_at_ms IS NULL";
    let found: Option<serde_json::Value> =
        database::first(database, query, &[profile_id.into(), account_id.into()]).await?;
    found.map(|_| ()).ok_or_else(|| ApiError::not_found(format!("no profile {profile_id}")))
}

fn normal(written: &str) -> Result<String, ApiError> {
    dialled::normal(written).ok_or_else(|| {
        ApiError::bad_request("number: must be 1 to 64 digits with or without `+`, or a name of letters and digits")
    })
}
