//! People: sign-up makes a person, their account and its first profile in one transaction; `me` shows who one is.
//! What proves who they are is `auth`'s.

use edge_protocol::accounts::Balance;
use serde::{Deserialize, Serialize};
use worker::Env;
use worker::wasm_bindgen::JsValue;

use super::database::{self, database, number, statement};
use super::profile::Profile;
use super::verbs::EnterQuestion;
use super::{bounded, lookup};
use crate::auth::{Caller, turnstile};
use crate::http::{Answer, ApiError, Call, ok};
use crate::{id, objects};

/// Longest email address (RFC 5321 section 4.5.3.1.3), characters.
const MAX_EMAIL: usize = 254;
/// Longest name of a business, characters. The first profile's texts repeat it.
const MAX_BUSINESS: usize = 80;

/// `POST /v1/sign-up`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignUp {
    /// What the account is called; left out: "My business".
    #[serde(default)]
    name: Option<String>,
    /// Used if the session's token has none.
    #[serde(default)]
    email: Option<String>,
    /// Needed where `TURNSTILE_SECRET` is set.
    #[serde(default)]
    turnstile_token: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct SignedUp {
    person_id: String,
    account_id: String,
    profile_id: String,
}

#[derive(Serialize)]
struct Me {
    person_id: Option<String>,
    subject: String,
    email: Option<String>,
    /// Those the person belongs to, oldest membership first.
    accounts: Vec<Membership>,
    /// The one this request acts for.
    account_id: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Membership {
    account_id: String,
    name: String,
    role: String,
}

/// `POST /v1/sign-up`: doing it again gives the same answer.
///
/// # Errors
/// 403 for a program, 400 for a body that is not right.
pub async fn sign_up(call: &Call) -> Answer {
    let (subject, known_email) = person(&call.caller)?;
    let body: SignUp = if call.body.is_empty() { SignUp::default() } else { call.json()? };
    turnstile::verify(&call.env, body.turnstile_token.as_deref(), &call.address).await?;
    let name = body.name.unwrap_or_else(|| "My business".to_owned());
    bounded("name", &name, 1, MAX_BUSINESS)?;
    let email = known_email.map(str::to_owned).or(body.email).unwrap_or_default();
    bounded("email", &email, 3, MAX_EMAIL)?;
    if !email.contains('@') {
        return Err(ApiError::bad_request("email: must have an `@`"));
    }
    let signed_up = match signed_up(&call.env, subject).await? {
        Some(before) => before,
        None => match create(call, subject, &name, &email).await {
            Ok(()) => signed_up(&call.env, subject).await?.ok_or_else(|| ApiError::internal("signed up, and gone"))?,
            // Somebody with the same session was faster; or D1 failed, and nothing is there.
            Err(error) => signed_up(&call.env, subject).await?.ok_or(error)?,
        },
    };
    welcome(&call.env, &signed_up.account_id).await?;
    lookup::forget();
    ok(&signed_up)
}

/// `GET /v1/me`
///
/// # Errors
/// If D1 does not answer.
pub async fn me(call: &Call) -> Answer {
    let Caller::Person { person_id, subject, email, account_id, .. } = call.caller.clone() else {
        return Err(ApiError::forbidden("this is for people"));
    };
    let accounts = match &person_id {
        None => Vec::new(),
        Some(person_id) => {
            let query = "SELECT accounts.account_id, accounts.name, memberships.role FROM memberships \
                 JOIN accounts ON accounts.account_id = memberships.account_id WHERE memberships.person_id = ? \
                 ORDER BY memberships.created_at_ms, memberships.account_id LIMIT 100";
            database::all(&database(&call.env)?, query, &[person_id.as_str().into()]).await?
        }
    };
    ok(&Me { person_id, subject, email, accounts, account_id })
}

/// One batch is one transaction in D1.
async fn create(call: &Call, subject: &str, name: &str, email: &str) -> Result<(), ApiError> {
    let (person_id, account_id, profile_id) = (id::random("per"), id::random("acc"), id::random("prf"));
    let profile = Profile::first(name.trim());
    profile.check().map_err(|error| ApiError::bad_request(error.to_string()))?;
    let json = serde_json::to_string(&profile).map_err(|error| ApiError::internal(error.to_string()))?;
    let (database, now) = (database(&call.env)?, number(call.now_ms));
    let text = |value: &str| JsValue::from_str(value);
    let statements = vec![
        statement(
            &database,
            "INSERT INTO people (person_id, subject, email, created_at_ms) VALUES (?, ?, ?, ?)",
            &[text(&person_id), text(subject), text(email), now.clone()],
        )?,
        statement(
            &database,
            "INSERT INTO accounts (account_id, name, created_at_ms) VALUES (?, ?, ?)",
            &[text(&account_id), text(name.trim()), now.clone()],
        )?,
        statement(
            &database,
            "INSERT INTO memberships (person_id, account_id, created_at_ms) VALUES (?, ?, ?)",
            &[text(&person_id), text(&account_id), now.clone()],
        )?,
        statement(
            &database,
            "INSERT INTO profiles (profile_id, account_id, name, profile, created_at_ms) VALUES (?, ?, ?, ?, ?)",
            &[text(&profile_id), text(&account_id), text(&profile.name), text(&json), now],
        )?,
    ];
    database.batch(statements).await?;
    Ok(())
}

/// What a sign-up made: the person's first account and its first profile, be it deleted since.
async fn signed_up(env: &Env, subject: &str) -> Result<Option<SignedUp>, ApiError> {
    let query = "SELECT people.person_id, memberships.account_id, profiles.profile_id FROM people \
         JOIN memberships ON memberships.person_id = people.person_id \
         JOIN profiles ON profiles.account_id = memberships.account_id WHERE people.subject = ? \
         ORDER BY memberships.created_at_ms, memberships.account_id, profiles.created_at_ms, profiles.profile_id LIMIT 1";
    database::first(&database(env)?, query, &[subject.into()]).await
}

/// Credits to begin with, if `WELCOME_MICROCREDITS` gives any: once an account, however often it is asked for.
async fn welcome(env: &Env, account_id: &str) -> Result<(), ApiError> {
    let credits = env.var("WELCOME_MICROCREDITS").ok().and_then(|credits| credits.to_string().parse::<i64>().ok());
    let Some(microcredits) = credits.filter(|credits| *credits > 0) else { return Ok(()) };
    let grant = EnterQuestion { microcredits, reference: "welcome".to_owned() };
    match objects::ask::<_, Balance>(env, "ACCOUNTS", account_id, "grant", &grant).await {
        Ok(_) => Ok(()),
        // Given before, when it was another amount.
        Err(error) if error.status == 409 => Ok(()),
        Err(error) => Err(error),
    }
}

fn person(caller: &Caller) -> Result<(&str, Option<&str>), ApiError> {
    match caller {
        Caller::Person { subject, email, .. } => Ok((subject, email.as_deref())),
        _ => Err(ApiError::forbidden("this is for people")),
    }
}
