//! Who a session or an API key is, by D1: the person, the account they act for, and that account's limits.
//! Nothing is remembered between requests, so that a revocation holds from the next request on.

use serde::Deserialize;
use worker::{D1Type, Env};

use super::{Caller, Member, api_key, jwt};
use crate::http::ApiError;
use crate::limits;

#[derive(Deserialize)]
struct PersonRow {
    person_id: Option<String>,
    account_id: Option<String>,
    requests_per_minute: Option<u32>,
    revoked: u8,
}

/// `?1` subject, `?2` session, `?3` the account asked for or ''.
const PERSON: &str = "
SELECT people.person_id, accounts.account_id, accounts.requests_per_minute,
  EXISTS (SELECT 1 FROM revoked_sessions WHERE session_id = ?2) AS revoked
FROM (SELECT 1)
LEFT JOIN people ON people.subject = ?1
LEFT JOIN memberships ON memberships.person_id = people.person_id AND (?3 = '' OR memberships.account_id = ?3)
LEFT JOIN accounts ON accounts.account_id = memberships.account_id
ORDER BY memberships.created_at_ms, memberships.account_id
LIMIT 1";

#[derive(Deserialize)]
struct ApiKeyRow {
    key_id: String,
    account_id: String,
    requests_per_minute: u32,
    allowed_ips: String,
}

const API_KEY: &str = "
SELECT key_id, accounts.account_id, accounts.requests_per_minute, accounts.allowed_ips
FROM api_keys JOIN accounts ON accounts.account_id = api_keys.account_id
WHERE sha256 = ?1 AND revoked_at_ms IS NULL";

/// The person of a good session token, in the account they ask for or else their first.
///
/// # Errors
/// 401 if the session was revoked, 403 if the account is not theirs.
pub async fn person(env: &Env, claims: jwt::Claims, account: Option<&str>) -> Result<Member, ApiError> {
    let wanted = account.unwrap_or_default();
    let row = env
        .d1("DB")?
        .prepare(PERSON)
        .bind_refs(&[D1Type::Text(&claims.sub), D1Type::Text(&claims.sid), D1Type::Text(wanted)])?
        .first::<PersonRow>(None)
        .await?
        .ok_or_else(|| ApiError::internal("the query for a person answered no row"))?;
    if row.revoked != 0 {
        return Err(ApiError::unauthorized("the session was revoked"));
    }
    if !wanted.is_empty() && row.account_id.is_none() {
        return Err(ApiError::forbidden("you are no member of this account"));
    }
    Ok(Member {
        requests_per_minute: row.requests_per_minute,
        caller: Caller::Person {
            expires_at_ms: claims.expires_at_ms(),
            person_id: row.person_id,
            subject: claims.sub,
            email: claims.email,
            account_id: row.account_id,
        },
    })
}

/// The account of an API key.
///
/// # Errors
/// 401 if there is no such key, or no longer; 403 if the account does not use its keys from this address.
pub async fn api_key(env: &Env, key: &str, address: &str) -> Result<Member, ApiError> {
    let sha256 = api_key::sha256(key);
    let row = env
        .d1("DB")?
        .prepare(API_KEY)
        .bind_refs(&[D1Type::Text(&sha256)])?
        .first::<ApiKeyRow>(None)
        .await?
        .ok_or_else(|| ApiError::unauthorized("there is no such API key"))?;
    let allowed: Vec<String> = serde_json::from_str(&row.allowed_ips)
        .map_err(|error| ApiError::internal(format!("allowed_ips of {}: {error}", row.account_id)))?;
    limits::only_from(allowed.iter().map(String::as_str), address)?;
    Ok(Member {
        requests_per_minute: Some(row.requests_per_minute),
        caller: Caller::ApiKey { key_id: row.key_id, account_id: row.account_id },
    })
}
