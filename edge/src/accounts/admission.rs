//! May this call start? Whose it is, whether they are open, whether node, account and credits allow one more.
//! Whose is `lookup`'s to say; cap and credits are the account object's. The call's own object learns whose it is from
//! its first event, `call_started`: a call that never starts leaves none behind.

use std::cell::{Cell, RefCell};

use edge_protocol::admission::{Acceptance, AdmissionAnswer, AdmissionRequest, RefusalReason};
use edge_protocol::live::NodeSummary;
use serde::Serialize;
use worker::{Context, Env};

use super::lookup::{self, Destination};
use super::node_cap::NodeCalls;
use super::profile::Opening;
use super::verbs::{AdmitAnswer, AdmitQuestion, SettleAnswer, SettleQuestion};
use crate::http::{Answer, ApiError, Call, ok};
use crate::objects;

/// Calls a node may have unless `MAX_CALLS_PER_NODE` says otherwise.
const MAX_CALLS_PER_NODE: u32 = 10_000;
/// How often the nodes' reports are fetched, ms.
const REPORTS_MS: u64 = 2_000;
/// Longest URI, header or name in a request, bytes.
const MAX_TEXT: usize = 2_048;
/// Most headers in a request.
const MAX_HEADERS: usize = 64;

/// A call of an account that is known already, such as a client's session.
#[derive(Debug, Clone, Copy)]
pub struct KnownCall<'a> {
    pub call_id: &'a str,
    pub account_id: &'a str,
    /// Chooses the profile; without a number `profile` does, without either the account's first answers.
    pub number: Option<&'a str>,
    pub profile: Option<&'a str>,
    /// The node that will hold the call.
    pub node: &'a str,
    /// Longest call, seconds, whatever the profile says.
    pub max_call_s: u32,
}

#[derive(Serialize)]
struct Nothing {}

thread_local! {
    static NODES: RefCell<NodeCalls> = RefCell::default();
    static REPORTS_AT_MS: Cell<u64> = const { Cell::new(0) };
}

/// `POST /v1/engine/admissions`
///
/// # Errors
/// A request that cannot be understood, or that nobody answers in time.
pub async fn serve(call: &Call) -> Answer {
    let request: AdmissionRequest = call.json()?;
    check(&request)?;
    ok(&admit(&call.env, &call.context, &request, call.now_ms).await?)
}

/// `POST /v1/engine/admissions/withdraw`: the call of this admission will never be. What is held for it is free again,
/// and an admission that is still on its way comes too late.
///
/// # Errors
/// A request that cannot be understood, or that nobody answers in time.
pub async fn withdraw(call: &Call) -> Answer {
    let request: AdmissionRequest = call.json()?;
    check(&request)?;
    // A line that leads nowhere any more: what it holds expires.
    if let Some(to) = lookup::of_invite(&call.env, &request, call.now_ms).await? {
        let question = SettleQuestion { call_id: request.call_id, duration_ms: 0 };
        let _: SettleAnswer = objects::ask(&call.env, "ACCOUNTS", &to.account_id, "settle", &question).await?;
    }
    ok(&Nothing {})
}

/// May the call of this INVITE start?
///
/// # Errors
/// If D1 or the account does not answer, or the call is over already.
pub async fn admit(
    env: &Env,
    context: &Context,
    request: &AdmissionRequest,
    now_ms: u64,
) -> Result<AdmissionAnswer, ApiError> {
    match lookup::of_invite(env, request, now_ms).await? {
        Some(to) => decide(env, context, &to, &request.call_id, &request.node, u32::MAX, now_ms).await,
        None => Ok(refuse(RefusalReason::UnknownNumber)),
    }
}

/// May this call of a known account start?
///
/// # Errors
/// If D1 or the account does not answer, or the call is over already.
pub async fn admit_known(
    env: &Env,
    context: &Context,
    call: KnownCall<'_>,
    now_ms: u64,
) -> Result<AdmissionAnswer, ApiError> {
    match lookup::of_own(env, call.account_id, call.number, call.profile, now_ms).await? {
        Some(to) => decide(env, context, &to, call.call_id, call.node, call.max_call_s, now_ms).await,
        None => Ok(refuse(RefusalReason::UnknownNumber)),
    }
}

async fn decide(
    env: &Env,
    context: &Context,
    to: &Destination,
    call_id: &str,
    node: &str,
    max_call_s: u32,
    now_ms: u64,
) -> Result<AdmissionAnswer, ApiError> {
    if to.suspended {
        return Ok(refuse(RefusalReason::AccountSuspended));
    }
    let opening = to.profile.opening(now_ms);
    if opening == Opening::Closed {
        return Ok(refuse(RefusalReason::OutsideHours));
    }
    fetch_reports(env, context, now_ms);
    if NODES.with_borrow(|nodes| nodes.of(node, now_ms)).is_some_and(|calls| calls >= node_cap(env)) {
        return Ok(refuse(RefusalReason::NodeCallLimit));
    }
    let question = AdmitQuestion {
        call_id: call_id.to_owned(),
        max_call_s: to.profile.max_call_s.min(max_call_s),
        rate_microcredits_per_second: to.rate_microcredits_per_second,
        max_calls: to.max_calls,
    };
    match objects::ask(env, "ACCOUNTS", &to.account_id, "admit", &question).await? {
        AdmitAnswer::Refuse { reason } => Ok(refuse(reason)),
        AdmitAnswer::Accept { max_call_s } => {
            NODES.with_borrow_mut(|nodes| nodes.admitted(node, now_ms));
            Ok(AdmissionAnswer::Accept(Acceptance {
                account_id: to.account_id.clone(),
                profile_id: to.profile_id.clone(),
                agent: to.profile.agent(opening),
                max_call_s,
                record: to.profile.record,
            }))
        }
    }
}

fn refuse(reason: RefusalReason) -> AdmissionAnswer {
    AdmissionAnswer::Refuse { code: reason.sip_code(), reason }
}

fn check(request: &AdmissionRequest) -> Result<(), ApiError> {
    if request.v != edge_protocol::VERSION {
        let message = format!("version {} is not understood, {} is", request.v, edge_protocol::VERSION);
        return Err(ApiError::bad_request(message));
    }
    let call_id = &request.call_id;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if call_id.is_empty() || call_id.len() > 64 || !call_id.bytes().all(plain) {
        return Err(ApiError::bad_request("call_id: must be 1 to 64 letters, digits, `-` or `_`"));
    }
    let AdmissionRequest { sip_call_id, node, from, to, request_uri, trunk, headers, .. } = request;
    let texts = [sip_call_id, node, from, to, request_uri, trunk];
    let headers_long = headers.iter().any(|(name, value)| name.len() + value.len() > MAX_TEXT);
    if headers.len() > MAX_HEADERS || headers_long || texts.iter().any(|text| text.len() > MAX_TEXT) {
        return Err(ApiError::bad_request(format!(
            "at most {MAX_HEADERS} headers, and {MAX_TEXT} bytes in each of them and in every field"
        )));
    }
    Ok(())
}

/// Fetches the nodes' reports now and then, without anybody waiting for it.
fn fetch_reports(env: &Env, context: &Context, now_ms: u64) {
    if now_ms.saturating_sub(REPORTS_AT_MS.get()) < REPORTS_MS {
        return;
    }
    REPORTS_AT_MS.set(now_ms);
    let env = env.clone();
    context.wait_until(async move {
        // Without reports no node is held to the cap; its own limit still holds.
        let reports: Result<Vec<NodeSummary>, _> = objects::ask(&env, "NODES", "nodes", "list", &Nothing {}).await;
        for report in reports.unwrap_or_default() {
            let heartbeat = &report.heartbeat;
            NODES.with_borrow_mut(|nodes| nodes.report(&heartbeat.node, heartbeat.active_calls, report.seen_at_ms));
        }
    });
}

fn node_cap(env: &Env) -> u32 {
    env.var("MAX_CALLS_PER_NODE").ok().and_then(|cap| cap.to_string().parse().ok()).unwrap_or(MAX_CALLS_PER_NODE)
}
