//! Many callers at once: dialled at a steady rate, each in conversation for a time, then counted.
//! One caller is `caller`; what the numbers mean is `report`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::caller::{CallEnded, Caller, Conversation, LineHeard, Manners, Phone, Prepared, Target};
use crate::report::{CallResult, FleetCounts, FleetReport};

/// What to run.
pub struct Fleet {
    pub calls: usize,
    /// New calls a second.
    pub rate: f64,
    /// How long each call is in conversation.
    pub hold: Duration,
    /// Repeated from the start when it is through.
    pub lines: Vec<Prepared>,
    pub target: Target,
    pub manners: Manners,
}

/// How far a run is, for a progress display.
#[derive(Debug, Default)]
pub struct Progress {
    pub dialled: AtomicUsize,
    pub up: AtomicUsize,
    pub most_up: AtomicUsize,
    pub finished: AtomicUsize,
    pub lost: AtomicUsize,
}

/// Runs all calls. Cancelling `stop` dials no more and ends those that are up with BYE.
pub async fn run(phone: Arc<Phone>, fleet: Fleet, progress: Arc<Progress>, stop: CancellationToken) -> FleetReport {
    FleetReport::from(&count(phone, fleet, progress, stop).await)
}

/// The same for who adds up what others count.
pub async fn count(phone: Arc<Phone>, fleet: Fleet, progress: Arc<Progress>, stop: CancellationToken) -> FleetCounts {
    let fleet = Arc::new(fleet);
    let mut calls = JoinSet::new();
    let start = Instant::now();
    for number in 0..fleet.calls {
        let due = start + Duration::from_secs_f64(number as f64 / fleet.rate);
        tokio::select! {
            () = sleep_until(due) => {}
            () = stop.cancelled() => break,
        }
        calls.spawn(one_call(phone.clone(), fleet.clone(), number, progress.clone(), stop.clone()));
    }
    let mut results = Vec::with_capacity(fleet.calls);
    while let Some(result) = calls.join_next().await {
        results.push(result.unwrap_or_else(|error| CallResult {
            setup: None,
            lines: Vec::new(),
            lost: Some(format!("the caller itself failed: {error}")),
            media: None,
        }));
    }
    FleetCounts::new(&results, progress.most_up.load(Ordering::Relaxed), stop.is_cancelled())
}

async fn one_call(
    phone: Arc<Phone>,
    fleet: Arc<Fleet>,
    number: usize,
    progress: Arc<Progress>,
    stop: CancellationToken,
) -> CallResult {
    progress.dialled.fetch_add(1, Ordering::Relaxed);
    let mut caller = match phone.dial(&fleet.target).await {
        Ok(caller) => caller,
        Err(error) => {
            progress.lost.fetch_add(1, Ordering::Relaxed);
            return CallResult { setup: None, lines: Vec::new(), lost: Some(error.to_string()), media: None };
        }
    };
    let up = progress.up.fetch_add(1, Ordering::Relaxed) + 1;
    progress.most_up.fetch_max(up, Ordering::Relaxed);
    let setup = caller.setup();
    let mut lines = Vec::new();
    let lost = tokio::select! {
        ended = timeout_at(Instant::now() + fleet.hold, converse(&mut caller, &fleet, number, &mut lines)) => {
            ended.ok().map(|ended| ended.to_string())
        }
        () = stop.cancelled() => None,
    };
    // Cut short by the end of the hold time, a question was not refused an answer.
    lines.pop_if(|line| !line.answered && lost.is_none());
    let media = caller.hang_up().await;
    progress.up.fetch_sub(1, Ordering::Relaxed);
    progress.finished.fetch_add(1, Ordering::Relaxed);
    progress.lost.fetch_add(usize::from(lost.is_some()), Ordering::Relaxed);
    CallResult { setup: Some(setup), lines, lost, media }
}

/// Talks until the call is over, which before the end of the hold time means that it was lost.
async fn converse(caller: &mut Caller, fleet: &Fleet, number: usize, heard: &mut Vec<LineHeard>) -> CallEnded {
    let mut conversation = Conversation::new(caller, fleet.manners);
    if let Err(ended) = conversation.greeting().await {
        return ended;
    }
    // Callers begin at different lines, or all would ask the same at the same time.
    let mut place = number % fleet.lines.len().max(1);
    loop {
        let next = (place + 1) % fleet.lines.len().max(1);
        let Some(line) = fleet.lines.get(place) else { return CallEnded::MediaStalled };
        let cut_in = fleet.lines.get(next).and_then(|line| line.line.barge_in_after());
        let line_heard = heard.push_mut(LineHeard::default());
        if let Err(ended) = conversation.line(line, cut_in, line_heard).await {
            return ended;
        }
        place = next;
    }
}
