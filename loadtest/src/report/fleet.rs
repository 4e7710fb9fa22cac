//! The report of many calls at once: what was lost, how evenly packets came, how soon answers were heard.
//! Running the calls is `fleet`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::media::MediaReport;
use super::table::Table;
use crate::caller::LineHeard;
use crate::caller::media::{LegReport, SendCounts};
use crate::measure::histogram::{Durations, Percentiles};
use crate::measure::spacing::SpacingCounts;

/// What became of one call.
pub struct CallResult {
    /// INVITE to 200; `None` if the call never was answered.
    pub setup: Option<Duration>,
    pub lines: Vec<LineHeard>,
    /// Why it was not set up, or was over before we hung up.
    pub lost: Option<String>,
    pub media: Option<LegReport>,
}

/// Sums over many calls, which may be added to those of other machines.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FleetCounts {
    pub calls: usize,
    /// Most calls that were up at the same time; of several machines the sum, which is the most it can have been.
    pub concurrent: usize,
    pub lost: usize,
    pub lost_why: BTreeMap<String, usize>,
    pub one_way: usize,
    pub disturbed: usize,
    pub questions: u64,
    pub unanswered: u64,
    pub setup: Durations,
    pub caller_heard: Durations,
    pub barge_in_stop: Durations,
    pub received: SpacingCounts,
    pub sending: SendCounts,
    pub interrupted: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct FleetReport {
    pub calls: usize,
    /// Most calls that were up at the same time.
    pub concurrent: usize,
    /// Calls that were refused, dropped, or cut off; and why, counted.
    pub lost: usize,
    pub lost_why: BTreeMap<String, usize>,
    /// Calls that were answered and from which not one voiced frame came.
    pub one_way: usize,
    /// Answered calls in whose media anything was missing, late by more than 40 ms, or out of step.
    pub disturbed: usize,
    pub questions: u64,
    /// Questions to which no answer began in time.
    pub unanswered: u64,
    pub setup: Percentiles,
    /// Last speech frame sent → first voiced frame back.
    pub caller_heard: Percentiles,
    /// First speech frame of an interruption sent → last voiced frame of the agent.
    pub barge_in_stop: Percentiles,
    pub media: MediaReport,
    /// The run was stopped by hand.
    pub interrupted: bool,
}

// === impl FleetCounts ===

impl FleetCounts {
    pub fn new(results: &[CallResult], concurrent: usize, interrupted: bool) -> Self {
        let mut counts = Self { calls: results.len(), concurrent, interrupted, ..Self::default() };
        results.iter().for_each(|call| counts.count(call));
        counts
    }

    fn count(&mut self, call: &CallResult) {
        if let Some(why) = &call.lost {
            self.lost += 1;
            *self.lost_why.entry(why.clone()).or_default() += 1;
        }
        call.setup.iter().for_each(|time| self.setup.record(*time));
        for line in &call.lines {
            self.questions += 1;
            self.unanswered += u64::from(!line.answered);
            line.latency_ms.iter().for_each(|ms| self.caller_heard.record(duration(*ms)));
            line.stopped_after_ms.iter().for_each(|ms| self.barge_in_stop.record(duration(*ms)));
        }
        if let Some(media) = &call.media {
            self.received.merge(&media.received);
            self.sending.merge(&media.sending);
            self.one_way += usize::from(media.voiced_frames == 0 && !call.lines.is_empty());
            let counts = &media.received;
            self.disturbed += usize::from(counts.gaps + counts.lost + counts.timestamp_jumps > 0);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.concurrent += other.concurrent;
        self.lost += other.lost;
        for (why, count) in &other.lost_why {
            *self.lost_why.entry(why.clone()).or_default() += count;
        }
        self.one_way += other.one_way;
        self.disturbed += other.disturbed;
        self.questions += other.questions;
        self.unanswered += other.unanswered;
        self.setup.merge(&other.setup);
        self.caller_heard.merge(&other.caller_heard);
        self.barge_in_stop.merge(&other.barge_in_stop);
        self.received.merge(&other.received);
        self.sending.merge(&other.sending);
        self.interrupted |= other.interrupted;
    }
}

// === impl FleetReport ===

impl From<&FleetCounts> for FleetReport {
    fn from(counts: &FleetCounts) -> Self {
        Self {
            calls: counts.calls,
            concurrent: counts.concurrent,
            lost: counts.lost,
            lost_why: counts.lost_why.clone(),
            one_way: counts.one_way,
            disturbed: counts.disturbed,
            questions: counts.questions,
            unanswered: counts.unanswered,
            setup: counts.setup.percentiles(),
            caller_heard: counts.caller_heard.percentiles(),
            barge_in_stop: counts.barge_in_stop.percentiles(),
            media: MediaReport::new(&counts.received, &counts.sending),
            interrupted: counts.interrupted,
        }
    }
}

impl FleetReport {
    pub fn new(results: &[CallResult], concurrent: usize, interrupted: bool) -> Self {
        Self::from(&FleetCounts::new(results, concurrent, interrupted))
    }

    /// What a caller would have noticed, as plain sentences.
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> =
            self.lost_why.iter().map(|(why, count)| format!("{count} calls lost: {why}")).collect();
        if self.one_way > 0 {
            problems.push(format!("{} calls heard nothing (one-way audio)", self.one_way));
        }
        if self.unanswered > 0 {
            problems.push(format!("{} of {} questions were not answered in time", self.unanswered, self.questions));
        }
        if self.questions == 0 {
            problems.push("not one question was asked: hold calls for longer than the greeting".to_owned());
        }
        problems.extend(self.media.problems());
        problems
    }
}

impl fmt::Display for FleetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spread = |p: &Percentiles| {
            if p.count == 0 {
                return "not measured".to_owned();
            }
            format!("p50 {:.0}  p95 {:.0}  p99 {:.0}  max {:.0} ms", p.p50_ms, p.p95_ms, p.p99_ms, p.max_ms)
        };
        let mut table = Table::default();
        table
            .row(
                "calls",
                format!(
                    "{} ({} at a time), {} lost, {} one-way, {} disturbed",
                    self.calls, self.concurrent, self.lost, self.one_way, self.disturbed
                ),
            )
            .row("call set-up", spread(&self.setup))
            .row("questions", format!("{}, {} unanswered", self.questions, self.unanswered))
            .row("caller-heard latency", spread(&self.caller_heard));
        if self.barge_in_stop.count > 0 {
            table.row("barge-in to silence", spread(&self.barge_in_stop));
        }
        self.media.rows(&mut table);
        write!(f, "{table}")
    }
}

fn duration(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
}
