//! Whose call is it? The dialled number, else the trunk, leads to an account and a profile, by D1.
//! Remembered in this isolate for ten seconds, so that a burst of calls asks D1 once.

use std::cell::RefCell;
use std::rc::Rc;

use edge_protocol::admission::AdmissionRequest;
use serde::Deserialize;
use worker::Env;
use worker::wasm_bindgen::JsValue;

use super::database::{self, database};
use super::dialled;
use super::profile::Profile;
use super::short_cache::ShortCache;
use crate::http::ApiError;

/// How long an answer is remembered, ms. So long a change made elsewhere may take to be seen.
const KEEP_MS: u64 = 10_000;
/// Most answers remembered.
const MOST: usize = 4_096;

/// Where a call goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Destination {
    pub account_id: String,
    pub suspended: bool,
    pub max_calls: u32,
    pub rate_microcredits_per_second: i64,
    pub profile_id: String,
    pub profile: Profile,
}

#[derive(Deserialize)]
struct Row {
    account_id: String,
    status: String,
    max_calls: u32,
    rate_microcredits_per_second: i64,
    profile_id: String,
    profile: String,
}

const SELECT: &str = "SELECT accounts.account_id, accounts.status, accounts.max_calls, \
     accounts.rate_microcredits_per_second, profiles.profile_id, profiles.profile";
const JOIN: &str = "JOIN profiles ON profiles.profile_id = doors.profile_id AND profiles.deleted_at_ms IS NULL \
     JOIN accounts ON accounts.account_id = doors.account_id AND accounts.account_id = profiles.account_id";

thread_local! {
    static REMEMBERED: RefCell<ShortCache<Option<Rc<Destination>>>> = RefCell::new(ShortCache::new(KEEP_MS, MOST));
}

/// Forgets what this isolate remembers: something was changed.
pub fn forget() {
    REMEMBERED.with_borrow_mut(ShortCache::clear);
}

/// The destination of an INVITE: by request URI, by `To`, by trunk.
///
/// # Errors
/// If D1 does not answer.
pub async fn of_invite(
    env: &Env,
    request: &AdmissionRequest,
    now_ms: u64,
) -> Result<Option<Rc<Destination>>, ApiError> {
    let dialled = dialled::of_uri(&request.request_uri);
    let to = dialled::of_uri(&request.to).filter(|to| Some(to) != dialled.as_ref());
    for number in [dialled, to].into_iter().flatten() {
        if let Some(destination) = of_number(env, &number, now_ms).await? {
            return Ok(Some(destination));
        }
    }
    let Some(trunk) = dialled::trunk_address(&request.trunk) else { return Ok(None) };
    let query = format!("{SELECT} FROM trunks AS doors {JOIN} WHERE doors.address = ?");
    remembered(env, format!("trunk {trunk}"), query, &[trunk.as_str().into()], now_ms).await
}

/// The destination of a number, written the normal way.
///
/// # Errors
/// If D1 does not answer.
pub async fn of_number(env: &Env, number: &str, now_ms: u64) -> Result<Option<Rc<Destination>>, ApiError> {
    let query = format!("{SELECT} FROM numbers AS doors {JOIN} WHERE doors.number = ?");
    remembered(env, format!("number {number}"), query, &[number.into()], now_ms).await
}

/// Who answers in an account: the profile of a number of its own, else a profile of its own, else its oldest. What is
/// named and is not the account's leads nowhere: nobody talks to another agent than the one they asked for.
///
/// # Errors
/// If D1 does not answer.
pub async fn of_own(
    env: &Env,
    account_id: &str,
    number: Option<&str>,
    profile_id: Option<&str>,
    now_ms: u64,
) -> Result<Option<Rc<Destination>>, ApiError> {
    match (number, profile_id) {
        (Some(number), _) => {
            let Some(number) = dialled::normal(number) else { return Ok(None) };
            Ok(of_number(env, &number, now_ms).await?.filter(|to| to.account_id == account_id))
        }
        (None, Some("")) => Ok(None),
        (None, profile_id) => of_account(env, account_id, profile_id, now_ms).await,
    }
}

/// A profile of the account, or its oldest.
///
/// # Errors
/// If D1 does not answer.
async fn of_account(
    env: &Env,
    account_id: &str,
    profile_id: Option<&str>,
    now_ms: u64,
) -> Result<Option<Rc<Destination>>, ApiError> {
    let query = format!(
        "{SELECT} FROM profiles AS doors {JOIN} WHERE doors.account_id = ?1 AND (?2 = '' OR doors.profile_id = ?2) \
         ORDER BY doors.created_at_ms, doors.profile_id LIMIT 1"
    );
    let profile_id = profile_id.unwrap_or_default();
    remembered(
        env,
        format!("profile {account_id} {profile_id}"),
        query,
        &[account_id.into(), profile_id.into()],
        now_ms,
    )
    .await
}

async fn remembered(
    env: &Env,
    key: String,
    query: String,
    values: &[JsValue],
    now_ms: u64,
) -> Result<Option<Rc<Destination>>, ApiError> {
    if let Some(found) = REMEMBERED.with_borrow(|cache| cache.get(&key, now_ms)) {
        return Ok(found);
    }
    let row: Option<Row> = database::first(&database(env)?, query, values).await?;
    let found = row.map(Row::into_destination).transpose()?.map(Rc::new);
    REMEMBERED.with_borrow_mut(|cache| cache.put(key, found.clone(), now_ms));
    Ok(found)
}

// === impl Row ===

impl Row {
    fn into_destination(self) -> Result<Destination, ApiError> {
        let profile = serde_json::from_str(&self.profile)
            .map_err(|error| ApiError::internal(format!("profile {}: {error}", self.profile_id)))?;
        Ok(Destination {
            account_id: self.account_id,
            suspended: self.status != "active",
            max_calls: self.max_calls,
            rate_microcredits_per_second: self.rate_microcredits_per_second,
            profile_id: self.profile_id,
            profile,
        })
    }
}
