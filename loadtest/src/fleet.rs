//! Many callers at once: dialled at a rate, each in conversation for a time, then counted.
//! One caller is `caller`; what the numbers mean is `report`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::caller::{CallEnded, Caller, Conversation, DialError, LineHeard, Manners, Phone, Prepared, Target};
use crate::report::{CallResult, FleetCounts, FleetReport};

/// What to run.
pub struct Fleet {
    pub calls: usize,
    /// New calls a second.
    pub rate: f64,
    /// The rate rises to this from nothing in so long.
    pub ramp: Duration,
    /// How long each call is in conversation.
    pub hold: Duration,
    /// Repeated from the start when it is through; without any, callers only listen.
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
        let due = start + due(number, fleet.rate, fleet.ramp);
        tokio::select! {
            () = sleep_until(due) => {}
            () = stop.cancelled() => break,
        }
        calls.spawn(one_call(phone.clone(), fleet.clone(), number, progress.clone(), stop.clone()));
    }
    let mut results = Vec::with_capacity(fleet.calls);
    while let Some(result) = calls.join_next().await {
        results.push(result.unwrap_or_else(|error| never_up(format!("the caller itself failed: {error}"))));
    }
    FleetCounts::new(&results, progress.most_up.load(Ordering::Relaxed), stop.is_cancelled())
}

/// When a call is dialled, as the rate rises over `ramp` and then stays.
pub(crate) fn due(number: usize, rate: f64, ramp: Duration) -> Duration {
    let (number, ramp) = (number as f64, ramp.as_secs_f64());
    // After t of the ramp, t² · rate / (2 · ramp) calls have been dialled.
    let in_ramp = ramp * rate / 2.0;
    let seconds = if number < in_ramp { (2.0 * number * ramp / rate).sqrt() } else { ramp + (number - in_ramp) / rate };
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

fn never_up(why: String) -> CallResult {
    CallResult { setup: None, refused: None, lines: Vec::new(), lost: Some(why), media: None }
}

async fn one_call(
    phone: Arc<Phone>,
    fleet: Arc<Fleet>,
    number: usize,
    progress: Arc<Progress>,
    stop: CancellationToken,
) -> CallResult {
    progress.dialled.fetch_add(1, Ordering::Relaxed);
    let dialled = Instant::now();
    let mut caller = match phone.dial(&fleet.target).await {
        Ok(caller) => caller,
        Err(error) => {
            progress.lost.fetch_add(1, Ordering::Relaxed);
            let refused = matches!(error, DialError::Refused { .. }).then(|| dialled.elapsed());
            return CallResult { refused, ..never_up(error.to_string()) };
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
    CallResult { setup: Some(setup), refused: None, lines, lost, media }
}

/// Talks until the call is over, which before the end of the hold time means that it was lost.
async fn converse(caller: &mut Caller, fleet: &Fleet, number: usize, heard: &mut Vec<LineHeard>) -> CallEnded {
    if fleet.lines.is_empty() {
        return listen(caller).await;
    }
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

/// Until the call is over.
async fn listen(caller: &mut Caller) -> CallEnded {
    const A_WHILE: Duration = Duration::from_secs(3600);
    loop {
        if let Err(ended) = caller.listen(A_WHILE).await {
            return ended;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_over_the_ramp_and_then_stays() {
        let at = |number| due(number, 10.0, Duration::from_secs(4)).as_secs_f64();
        // Half as many in the ramp as at the full rate.
        assert_eq!([0, 5, 20, 30].map(at), [0.0, 2.0, 4.0, 5.0]);
        assert_eq!(due(30, 10.0, Duration::ZERO), Duration::from_secs(3));
    }
}
