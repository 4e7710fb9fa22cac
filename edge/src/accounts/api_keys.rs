//! `/v1/api-keys`: an account's keys for machines, for people to make and to revoke. A key is shown once, when made.
//! How a key is made, kept and checked is `auth`'s.

use serde::{Deserialize, Serialize};
use worker::Response;

use super::bounded;
use super::database::{self, database, number};
use crate::auth::api_key;
use crate::http::{Answer, ApiError, Call, ok};
use crate::id;

/// Most keys of an account that are not revoked.
const MAX_KEYS: u32 = 50;
/// Longest name, characters.
const MAX_NAME: usize = 80;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    name: String,
}

#[derive(Serialize)]
struct Made {
    key_id: String,
    name: String,
    /// Not kept: this is the only time it is shown.
    key: String,
    created_at_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct Shown {
    key_id: String,
    name: String,
    created_at_ms: u64,
}

#[derive(Serialize)]
struct List {
    api_keys: Vec<Shown>,
}

/// `GET /v1/api-keys`, newest first.
///
/// # Errors
/// If D1 does not answer.
pub async fn list(call: &Call) -> Answer {
    let query = "SELECT key_id, name, created_at_ms FROM api_keys WHERE account_id = ? AND revoked_at_ms IS NULL \
         ORDER BY created_at_ms DESC, key_id";
    let api_keys = database::all(&database(&call.env)?, query, &[call.account_id()?.into()]).await?;
    ok(&List { api_keys })
}

/// `POST /v1/api-keys`
///
/// # Errors
/// 400 for a name that is not right, 409 when there are too many.
pub async fn create(call: &Call) -> Answer {
    let NewKey { name } = call.json()?;
    bounded("name", &name, 1, MAX_NAME)?;
    let key = api_key::generate().map_err(|error| ApiError::internal(error.to_string()))?;
    let key_id = id::random("key");
    let insert = "INSERT INTO api_keys (key_id, account_id, name, sha256, created_at_ms) SELECT ?1, ?2, ?3, ?4, ?5 \
         WHERE (SELECT count(*) FROM api_keys WHERE account_id = ?2 AND revoked_at_ms IS NULL) < ?6";
    let values = [
        key_id.as_str().into(),
        call.account_id()?.into(),
        name.as_str().into(),
        api_key::sha256(&key).into(),
        number(call.now_ms),
        number(MAX_KEYS.into()),
    ];
    if database::run(&database(&call.env)?, insert, &values).await? == 0 {
        return Err(ApiError::conflict(format!("an account has at most {MAX_KEYS} API keys: revoke one first")));
    }
    Ok(ok(&Made { key_id, name, key, created_at_ms: call.now_ms })?.with_status(201))
}

/// `DELETE /v1/api-keys/{key_id}`: good for nothing from now on.
///
/// # Errors
/// 404 if the account has no such key.
pub async fn revoke(call: &Call) -> Answer {
    let key_id = call.params.get("key_id");
    let update = "UPDATE api_keys SET revoked_at_ms = ? WHERE key_id = ? AND account_id = ? AND revoked_at_ms IS NULL";
    let values = [number(call.now_ms), key_id.into(), call.account_id()?.into()];
    if database::run(&database(&call.env)?, update, &values).await? == 0 {
        return Err(ApiError::not_found(format!("no API key {key_id}")));
    }
    Ok(Response::empty()?.with_status(204))
}
