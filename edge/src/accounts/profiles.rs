//! `/v1/profiles`: an account's business profiles, read, written, put away.
//! What a profile may say is `profile`'s.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use worker::wasm_bindgen::JsValue;
use worker::{D1Database, Response};

use super::database::{self, database, number};
use super::lookup;
use super::profile::Profile;
use crate::http::{Answer, ApiError, Call, ok};
use crate::id;

/// Most profiles of an account.
const MAX_PROFILES: u32 = 100;

#[derive(Deserialize)]
struct Row {
    profile_id: String,
    profile: String,
    created_at_ms: u64,
}

#[derive(Serialize)]
struct Shown {
    profile_id: String,
    created_at_ms: u64,
    #[serde(flatten)]
    profile: Value,
}

#[derive(Serialize)]
struct List {
    profiles: Vec<Shown>,
}

const SELECT: &str =
    "SELECT profile_id, profile, created_at_ms FROM profiles WHERE account_id = ?1 AND deleted_at_ms IS NULL";

/// `GET /v1/profiles`, oldest first.
///
/// # Errors
/// If D1 does not answer.
pub async fn list(call: &Call) -> Answer {
    let query = format!("{SELECT} ORDER BY created_at_ms, profile_id");
    let rows: Vec<Row> = database::all(&database(&call.env)?, query, &[call.account_id()?.into()]).await?;
    ok(&List { profiles: rows.into_iter().map(Row::shown).collect::<Result<_, _>>()? })
}

/// `POST /v1/profiles`
///
/// # Errors
/// 400 naming what is wrong with the profile, 409 when there are too many.
pub async fn create(call: &Call) -> Answer {
    let (profile, json) = read(call)?;
    let (profile_id, database) = (id::random("prf"), database(&call.env)?);
    // Counted and inserted in one statement: two at once cannot both be the last one.
    let insert = "INSERT INTO profiles (profile_id, account_id, name, profile, created_at_ms) SELECT ?1, ?2, ?3, ?4, ?5 \
         WHERE (SELECT count(*) FROM profiles WHERE account_id = ?2 AND deleted_at_ms IS NULL) < ?6";
    let values = [
        profile_id.as_str().into(),
        call.account_id()?.into(),
        profile.name.as_str().into(),
        json.into(),
        number(call.now_ms),
        number(MAX_PROFILES.into()),
    ];
    if database::run(&database, insert, &values).await? == 0 {
        return Err(ApiError::conflict(format!("an account has at most {MAX_PROFILES} profiles")));
    }
    lookup::forget();
    Ok(show(&database, call.account_id()?, &profile_id).await?.with_status(201))
}

/// `GET /v1/profiles/{profile_id}`
///
/// # Errors
/// 404 if the account has no such profile.
pub async fn get(call: &Call) -> Answer {
    show(&database(&call.env)?, call.account_id()?, call.params.get("profile_id")).await
}

/// `PUT /v1/profiles/{profile_id}`: the whole profile.
///
/// # Errors
/// 400 naming what is wrong with it, 404 if the account has no such profile.
pub async fn change(call: &Call) -> Answer {
    let (profile, json) = read(call)?;
    let (profile_id, database) = (call.params.get("profile_id"), database(&call.env)?);
    let update = "UPDATE profiles SET name = ?, profile = ? WHERE profile_id = ? AND account_id = ? \
         AND deleted_at_ms IS NULL";
    let values: [JsValue; 4] =
        [profile.name.as_str().into(), json.into(), profile_id.into(), call.account_id()?.into()];
    database::run(&database, update, &values).await?;
    lookup::forget();
    show(&database, call.account_id()?, profile_id).await
}

/// `DELETE /v1/profiles/{profile_id}`: put away, for its calls still name it.
///
/// # Errors
/// 404 if the account has no such profile, 409 while numbers or trunks lead to it.
pub async fn delete(call: &Call) -> Answer {
    let (profile_id, database) = (call.params.get("profile_id"), database(&call.env)?);
    show(&database, call.account_id()?, profile_id).await?;
    let update = "UPDATE profiles SET deleted_at_ms = ?1 WHERE profile_id = ?2 AND account_id = ?3 \
         AND NOT EXISTS (SELECT 1 FROM numbers WHERE profile_id = ?2) \
         AND NOT EXISTS (SELECT 1 FROM trunks WHERE profile_id = ?2)";
    let values = [number(call.now_ms), profile_id.into(), call.account_id()?.into()];
    if database::run(&database, update, &values).await? == 0 {
        return Err(ApiError::conflict("numbers or trunks lead to this profile: give them another first"));
    }
    lookup::forget();
    Ok(Response::empty()?.with_status(204))
}

fn read(call: &Call) -> Result<(Profile, String), ApiError> {
    let profile = Profile::read(&call.body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let json = serde_json::to_string(&profile).map_err(|error| ApiError::internal(error.to_string()))?;
    Ok((profile, json))
}

async fn show(database: &D1Database, account_id: &str, profile_id: &str) -> Answer {
    let query = format!("{SELECT} AND profile_id = ?2");
    let row: Option<Row> = database::first(database, query, &[account_id.into(), profile_id.into()]).await?;
    let row = row.ok_or_else(|| ApiError::not_found(format!("no profile {profile_id}")))?;
    ok(&row.shown()?)
}

// === impl Row ===

impl Row {
    fn shown(self) -> Result<Shown, ApiError> {
        let profile = serde_json::from_str(&self.profile)
            .map_err(|error| ApiError::internal(format!("profile {}: {error}", self.profile_id)))?;
        Ok(Shown { profile_id: self.profile_id, created_at_ms: self.created_at_ms, profile })
    }
}
