//! Sessions on the Worker: many clients of `/ws/call-session` at once, opened at a steady rate, each held for a time.
//! One of them is `client`; `echo_node` is what they talk to when no real node is to be measured.

mod client;
pub mod echo_node;
mod tally;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub use client::SessionError;
pub use tally::{SessionsReport, Tally};

use crate::fleet;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub http: reqwest::Client,
    /// The edge's base URL, without a slash at its end.
    pub edge: String,
    /// A person's session token, or an API key.
    pub token: String,
    /// Dialled number; chooses the agent. `None`: the account's default.
    pub number: Option<String>,
    pub sessions: usize,
    /// New sessions a second.
    pub rate: f64,
    /// How long each is held once it is ready.
    pub hold: Duration,
    /// From one 20 ms of audio to the next.
    pub say_every: Duration,
    /// Longest wait for the session to be ready, and for it to end.
    pub patience: Duration,
}

/// Runs all sessions. Cancelling `stop` opens no more and ends those that are up with `end_call`.
pub async fn run(plan: Plan, tally: Arc<Tally>, stop: CancellationToken) -> SessionsReport {
    let plan = Arc::new(plan);
    let mut sessions = JoinSet::new();
    let start = Instant::now();
    for number in 0..plan.sessions {
        let due = start + fleet::due(number, plan.rate, Duration::ZERO);
        tokio::select! {
            () = sleep_until(due) => {}
            () = stop.cancelled() => break,
        }
        tally.opened.fetch_add(1, Ordering::Relaxed);
        let (plan, tally, stop) = (plan.clone(), tally.clone(), stop.clone());
        sessions.spawn(async move {
            if let Err(error) = client::hold(&plan, &tally, &stop).await {
                tally.failed(&error);
            }
        });
    }
    while sessions.join_next().await.is_some() {}
    tally.report(stop.is_cancelled())
}
