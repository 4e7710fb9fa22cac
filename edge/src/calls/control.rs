//! What people and their software do with calls: end one, press keys, get a token for one, open its socket.
//! Who may is `auth`'s; the socket itself is `relay`'s.

use edge_protocol::link::Command;
use edge_protocol::live::CallStatus;
use serde::Deserialize;
use serde_json::{Value, json};
use worker::{Method, Request, RequestInit, Response};

use super::call_id;
use super::listing;
use super::verbs::PrepareQuestion;
use crate::accounts::lookup;
use crate::auth::call_token::{self, CallToken};
use crate::auth::{Caller, settings};
use crate::http::{Answer, ApiError, Call};
use crate::nodes::verbs::{CommandAnswer, CommandQuestion};
use crate::objects;

/// How long a call token can be used, s.
const TOKEN_LIFE_S: u64 = 300;
/// Most keys pressed at a time, as many as wait at a node.
const MAX_KEYS: usize = 64;
/// Longest number taken, bytes.
const MAX_NUMBER: usize = 64;

/// `POST /v1/calls/{id}/hang-up`: the command is on its way to the node.
///
/// # Errors
/// 404, 409 for a call that is over, 503 if its node is out of reach.
pub async fn hang_up(call: &Call) -> Answer {
    tell(call, |call_id| Command::HangUp { call_id }).await
}

/// Keys to be pressed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    digits: String,
}

/// `POST /v1/calls/{id}/dtmf`: the keys are on their way to the node, which presses them towards the caller.
///
/// # Errors
/// 400 for what is no key, 404, 409 for a call that is over, 503 if its node is out of reach.
pub async fn press(call: &Call) -> Answer {
    let Keys { digits } = call.json()?;
    let is_key = |byte: u8| byte.is_ascii_digit() || b"*#,".contains(&byte) || (b'A'..=b'D').contains(&byte);
    if digits.is_empty() || digits.len() > MAX_KEYS || !digits.bytes().all(is_key) {
        return Err(ApiError::bad_request(format!("digits: 1 to {MAX_KEYS} of 0-9, *, #, A-D, and commas for pauses")));
    }
    tell(call, |call_id| Command::Press { call_id, digits }).await
}

/// Sends a command about a live call to its node.
async fn tell(call: &Call, command: impl FnOnce(String) -> Command) -> Answer {
    let summary = listing::find(call).await?.summary;
    if summary.status == CallStatus::Ended {
        return Err(ApiError::conflict("the call is over"));
    }
    let question = CommandQuestion { node: summary.node, command: command(summary.call_id.clone()) };
    let CommandAnswer { command_id } = objects::ask(&call.env, "NODES", "nodes", "command", &question).await?;
    Ok(Response::from_json(&json!({ "call_id": summary.call_id, "command_id": command_id }))?.with_status(202))
}

/// Whose agent the call is for.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct TokenQuestion {
    /// A number of the account.
    number: Option<String>,
    /// Id of a profile of the account.
    profile: Option<String>,
}

/// `POST /v1/call-tokens`: a token for one conversation over `/ws/call-session`.
///
/// # Errors
/// 400, or 404 if the account has no such number or profile.
pub async fn token(call: &Call) -> Answer {
    let account_id = call.account_id()?;
    let question: TokenQuestion = if call.body.is_empty() { TokenQuestion::default() } else { call.json()? };
    let (number, profile) = (question.number.as_deref(), question.profile.as_deref());
    if [number, profile].into_iter().flatten().any(|name| name.len() > MAX_NUMBER) {
        return Err(ApiError::bad_request(format!("number, profile: at most {MAX_NUMBER} bytes")));
    }
    for (number, profile) in [(number, None), (None, profile)] {
        let Some(named) = number.or(profile) else { continue };
        if lookup::of_own(&call.env, account_id, number, profile, call.now_ms).await?.is_none() {
            let kind = if number.is_some() { "number" } else { "profile" };
            return Err(ApiError::not_found(format!("no {kind} {named}")));
        }
    }
    let user_id = match &call.caller {
        Caller::Person { person_id: Some(id), .. } | Caller::ApiKey { key_id: id, .. } => id.clone(),
        _ => return Err(ApiError::forbidden("this is for people and API keys")),
    };
    let mut random = [0; 10];
    getrandom::getrandom(&mut random).map_err(|e| ApiError::internal(e.to_string()))?;
    let call_id = call_id::v7(call.now_ms, random);
    let prepare = PrepareQuestion { number: question.number, profile: question.profile };
    let _: Value = objects::ask(&call.env, "CALL_SESSIONS", &call_id, "prepare", &prepare).await?;
    let secret =
        settings::text(&call.env, "TOKEN_SECRET").ok_or_else(|| ApiError::internal("TOKEN_SECRET is not set"))?;
    let claims = CallToken { call_id: call_id.clone(), account_id: account_id.to_owned(), user_id };
    let token = call_token::issue(secret.as_bytes(), &claims, call.now_ms, TOKEN_LIFE_S)
        .map_err(|e| ApiError::internal(e.to_string()))?;
    let origin = settings::text(&call.env, "PUBLIC_URL").unwrap_or_default();
    let url = format!("{}/ws/call-session?token={token}", origin.trim_end_matches('/').replacen("http", "ws", 1));
    let expires_at_ms = (call.now_ms / 1000 + TOKEN_LIFE_S) * 1000;
    let answer = json!({ "call_id": call_id, "token": token, "url": url, "expires_at_ms": expires_at_ms });
    Ok(Response::from_json(&answer)?.with_status(201))
}

/// `GET /ws/call-session`: handed to the call's object.
///
/// # Errors
/// 426 for what is no WebSocket, 409 if the token was used.
pub async fn session(call: &Call) -> Answer {
    let Caller::CallToken { call_id, account_id, .. } = &call.caller else {
        return Err(ApiError::unauthorized("a call token is needed"));
    };
    if !call.header("upgrade").is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket")) {
        return Err(ApiError::new(426, "upgrade_required", "this is a WebSocket").with_header("upgrade", "websocket"));
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Get);
    let mut upgrade = Request::new_with_init("https://object/session", &init)?;
    let headers = upgrade.headers_mut()?;
    for (name, value) in [("upgrade", "websocket"), ("x-call", call_id), ("x-account", account_id)] {
        headers.set(name, value)?;
    }
    Ok(call.env.durable_object("CALL_SESSIONS")?.get_by_name(call_id)?.fetch_with_request(upgrade).await?)
}
