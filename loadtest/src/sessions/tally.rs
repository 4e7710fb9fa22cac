//! What all sessions came to: counted while they run, shown as they run, reported at the end.
//! What one session does is `client`'s.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::SessionError;
use crate::measure::histogram::{Durations, Percentiles};
use crate::report::Table;

/// Counts of a run.
#[derive(Debug, Default)]
pub struct Tally {
    pub opened: AtomicUsize,
    pub up: AtomicUsize,
    most_up: AtomicUsize,
    said: AtomicU64,
    said_late: AtomicU64,
    times: Mutex<Times>,
}

#[derive(Debug, Default)]
struct Times {
    setup: Durations,
    round_trip: Durations,
    failed_why: BTreeMap<String, usize>,
}

/// What a run came to.
#[derive(Debug, Clone, Serialize)]
pub struct SessionsReport {
    pub sessions: usize,
    /// Most that were ready at one time.
    pub concurrent: usize,
    pub failed: usize,
    pub failed_why: BTreeMap<String, usize>,
    /// From asking for a token to `ready`.
    pub setup: Percentiles,
    /// Frames of audio that were said.
    pub said: u64,
    /// Of these, said so late that it was our fault.
    pub said_late: u64,
    /// From saying a frame to having it back: client, Worker, node, Worker, client.
    pub round_trip: Percentiles,
    /// Ended before its time by who ran it.
    pub interrupted: bool,
}

// === impl Tally ===

impl Tally {
    pub fn ready(&self, after: Duration) {
        let up = self.up.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_up.fetch_max(up, Ordering::Relaxed);
        self.times().setup.record(after);
    }

    /// A frame was said `late` after it was due; late by half its period is our own fault.
    pub fn said(&self, late: Duration, period: Duration) {
        self.said.fetch_add(1, Ordering::Relaxed);
        self.said_late.fetch_add(u64::from(late > period / 2), Ordering::Relaxed);
    }

    pub fn came_back(&self, after: Duration) {
        self.times().round_trip.record(after);
    }

    pub fn failed(&self, error: &SessionError) {
        *self.times().failed_why.entry(error.to_string()).or_default() += 1;
    }

    pub fn report(&self, interrupted: bool) -> SessionsReport {
        let times = self.times();
        SessionsReport {
            sessions: self.opened.load(Ordering::Relaxed),
            concurrent: self.most_up.load(Ordering::Relaxed),
            failed: times.failed_why.values().sum(),
            failed_why: times.failed_why.clone(),
            setup: times.setup.percentiles(),
            said: self.said.load(Ordering::Relaxed),
            said_late: self.said_late.load(Ordering::Relaxed),
            round_trip: times.round_trip.percentiles(),
            interrupted,
        }
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl SessionsReport ===

impl SessionsReport {
    /// Less than 99 % of what was to be said was said in time: we were too slow to tell how fast the edge is.
    pub fn fell_behind(&self) -> bool {
        self.said_late * 100 > self.said
    }

    /// What a client would have noticed, as plain sentences.
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> =
            self.failed_why.iter().map(|(why, count)| format!("{count} sessions failed: {why}")).collect();
        // The last frame of a session may be on its way when it ends.
        let missing = self.said.saturating_sub(self.round_trip.count).saturating_sub(self.sessions as u64);
        if missing > 0 {
            problems.push(format!("{missing} of {} frames did not come back before the next", self.said));
        }
        if self.said == 0 {
            problems.push("nothing was said: hold sessions for longer".to_owned());
        }
        problems
    }
}

impl fmt::Display for SessionsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::default();
        table
            .row("sessions", format!("{} ({} at a time), {} failed", self.sessions, self.concurrent, self.failed))
            .row("asked for to ready", self.setup)
            .row(
                "frames of audio",
                format!("{}, {} said late, {} came back", self.said, self.said_late, self.round_trip.count),
            )
            .row("there and back", self.round_trip);
        write!(f, "{table}")
    }
}
