//! `GET /health`: every binding asked a small question, each with its own patience.
//! What the answers add up to is `score`'s. An isolate asks at most every two seconds.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, join_all, select};
use serde_json::{Map, Value, json};
use worker::{Delay, Env, Response};

use super::metrics::totals;
use super::score::{Check, Status, score, status};
use crate::clock;
use crate::http::{Answer, Call};

/// How long a binding may take.
const PATIENCE: Duration = Duration::from_millis(1_000);
/// How long an answer is given out again, ms.
const KEPT_MS: u64 = 2_000;

thread_local! {
    static FIRST_MS: Cell<u64> = const { Cell::new(0) };
    static KEPT: RefCell<Option<(u64, u16, Value)>> = const { RefCell::new(None) };
}

/// 200 while calls can be served, 503 otherwise.
///
/// # Errors
/// Only if no response can be made.
pub async fn serve(call: &Call) -> Answer {
    let now_ms = call.now_ms;
    let kept = KEPT.with_borrow(|kept| kept.clone()).filter(|(at_ms, ..)| now_ms.saturating_sub(*at_ms) < KEPT_MS);
    let (code, mut report) = match kept {
        Some((_, code, report)) => (code, report),
        None => {
            let (code, report) = look(&call.env).await;
            KEPT.replace(Some((now_ms, code, report.clone())));
            (code, report)
        }
    };
    if let Some(report) = report.as_object_mut() {
        report.insert("timestamp".to_owned(), now_ms.into());
        report.insert("uptime".to_owned(), (uptime_ms(now_ms) / 1000).into());
    }
    let mut response = Response::from_json(&report)?.with_status(code);
    response.headers_mut().set("cache-control", "no-store")?;
    Ok(response)
}

/// Since this isolate answered first: the platform has no other start.
fn uptime_ms(now_ms: u64) -> u64 {
    if FIRST_MS.get() == 0 {
        FIRST_MS.set(now_ms);
    }
    now_ms.saturating_sub(FIRST_MS.get())
}

async fn look(env: &Env) -> (u16, Value) {
    let database = async { env.d1("DB")?.prepare("SELECT 1").first::<Value>(None).await.map(|_| ()) };
    let recordings = async { env.bucket("RECORDINGS")?.head("health").await.map(|_| ()) };
    let cache = async { Ok(env.kv("CACHE")?.get("health").text().await.map(|_| ())?) };
    let checks = vec![
        check("DB", true, database).boxed_local(),
        check("NODES", true, answers(env, "NODES", "nodes")).boxed_local(),
        check("ACCOUNTS", true, answers(env, "ACCOUNTS", "health")).boxed_local(),
        check("RECORDINGS", false, recordings).boxed_local(),
        check("CACHE", false, cache).boxed_local(),
        check("JOBS", false, async { env.queue("JOBS").map(|_| ()) }).boxed_local(),
        check("ANALYTICS", false, async { env.analytics_engine("ANALYTICS").map(|_| ()) }).boxed_local(),
    ];
    let checks = join_all(checks).await;
    let active_calls = totals(env).await.map_or(0, |totals| totals.active_calls);
    let status = status(&checks);
    let bindings: Map<String, Value> =
        checks.iter().map(|check| (check.name.to_owned(), json!({ "ok": check.ok, "ms": check.ms }))).collect();
    let report = json!({
        "status": status,
        "version": env!("CARGO_PKG_VERSION"),
        "activeCalls": active_calls,
        "bindings": bindings,
        "score": score(&checks),
    });
    (if status == Status::Down { 503 } else { 200 }, report)
}

/// An object that says anything at all is alive, though it may not know the word.
async fn answers(env: &Env, binding: &str, name: &str) -> worker::Result<()> {
    let stub = env.durable_object(binding)?.get_by_name(name)?;
    stub.fetch_with_str("https://object/health").await.map(|_| ())
}

async fn check(name: &'static str, needed: bool, asked: impl Future<Output = worker::Result<()>>) -> Check {
    let began_ms = clock::now_ms();
    let ok = match select(asked.boxed_local(), Delay::from(PATIENCE)).await {
        Either::Left((outcome, _)) => outcome.is_ok(),
        Either::Right(_) => false,
    };
    Check { name, ok, ms: clock::now_ms().saturating_sub(began_ms), needed }
}
