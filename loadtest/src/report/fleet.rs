//! The report of many calls at once: what was lost, how evenly packets came, how soon answers were heard.
//! Running the calls is `fleet`.

mod page;
mod stream;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use page::fleet_page;
pub use stream::StreamReport;

use super::media::MediaReport;
use super::node::NodeUsage;
use super::table::Table;
use crate::caller::LineHeard;
use crate::caller::media::{LegReport, SendCounts};
use crate::measure::histogram::{Durations, Percentiles};
use crate::measure::spacing::SpacingCounts;

/// What became of one call.
pub struct CallResult {
    /// INVITE to 200; `None` if the call never was answered.
    pub setup: Option<Duration>,
    /// INVITE to the answer that said no, if there was one.
    pub refused: Option<Duration>,
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
    /// Calls that were answered with a no, and why.
    pub refused_why: BTreeMap<String, usize>,
    pub lost_why: BTreeMap<String, usize>,
    pub one_way: usize,
    pub disturbed: usize,
    pub questions: u64,
    pub unanswered: u64,
    pub setup: Durations,
    pub refusal: Durations,
    pub caller_heard: Durations,
    pub barge_in_stop: Durations,
    pub received: SpacingCounts,
    pub sending: SendCounts,
    /// Of every call that was up.
    pub streams: Vec<StreamReport>,
    pub interrupted: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct FleetReport {
    pub calls: usize,
    /// Most calls that were up at the same time.
    pub concurrent: usize,
    /// Calls that were answered with a no, why, counted, and how soon.
    pub refused: usize,
    pub refused_why: BTreeMap<String, usize>,
    pub refusal: Percentiles,
    /// Refusals are no problem: the node is to be full.
    pub may_refuse: bool,
    /// Calls that were not answered, dropped, or cut off; and why, counted.
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
    /// Of the streams that came back, the mean opinion score (E-model, 1 to 4.5): the worst, and the median.
    pub lowest_mos: Option<f64>,
    pub median_mos: Option<f64>,
    /// Stream by stream, the worst first.
    pub streams: Vec<StreamReport>,
    /// What share of the calls took at most so many ms, as points for a plot.
    pub setup_curve: Vec<(f64, f64)>,
    pub caller_heard_curve: Vec<(f64, f64)>,
    pub spacing_curve: Vec<(f64, f64)>,
    /// What the node used, if its process was to be watched.
    pub node: Option<NodeUsage>,
    /// Callers said nothing, and expected nothing to be said.
    pub quiet: bool,
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
            let reasons = if call.refused.is_some() { &mut self.refused_why } else { &mut self.lost_why };
            *reasons.entry(why.clone()).or_default() += 1;
        }
        call.setup.iter().for_each(|time| self.setup.record(*time));
        call.refused.iter().for_each(|time| self.refusal.record(*time));
        for line in &call.lines {
            self.questions += 1;
            self.unanswered += u64::from(!line.answered);
            line.latency_ms.iter().for_each(|ms| self.caller_heard.record(duration(*ms)));
            line.stopped_after_ms.iter().for_each(|ms| self.barge_in_stop.record(duration(*ms)));
        }
        if let Some(media) = &call.media {
            self.received.merge(&media.received);
            self.sending.merge(&media.sending);
            let stream = StreamReport::new(media, !call.lines.is_empty());
            self.one_way += usize::from(stream.one_way);
            self.streams.push(stream);
            let counts = &media.received;
            self.disturbed += usize::from(counts.gaps + counts.lost + counts.timestamp_jumps > 0);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.concurrent += other.concurrent;
        for (sum, others) in [(&mut self.refused_why, &other.refused_why), (&mut self.lost_why, &other.lost_why)] {
            others.iter().for_each(|(why, count)| *sum.entry(why.clone()).or_default() += count);
        }
        self.one_way += other.one_way;
        self.disturbed += other.disturbed;
        self.questions += other.questions;
        self.unanswered += other.unanswered;
        self.setup.merge(&other.setup);
        self.refusal.merge(&other.refusal);
        self.caller_heard.merge(&other.caller_heard);
        self.barge_in_stop.merge(&other.barge_in_stop);
        self.received.merge(&other.received);
        self.sending.merge(&other.sending);
        self.streams.extend_from_slice(&other.streams);
        self.interrupted |= other.interrupted;
    }
}

// === impl FleetReport ===

impl From<&FleetCounts> for FleetReport {
    fn from(counts: &FleetCounts) -> Self {
        let mut streams = counts.streams.clone();
        streams.sort_by(|a, b| a.mos.total_cmp(&b.mos));
        Self {
            calls: counts.calls,
            concurrent: counts.concurrent,
            refused: counts.refused_why.values().sum(),
            refused_why: counts.refused_why.clone(),
            refusal: counts.refusal.percentiles(),
            may_refuse: false,
            lost: counts.lost_why.values().sum(),
            lost_why: counts.lost_why.clone(),
            one_way: counts.one_way,
            disturbed: counts.disturbed,
            questions: counts.questions,
            unanswered: counts.unanswered,
            setup: counts.setup.percentiles(),
            caller_heard: counts.caller_heard.percentiles(),
            barge_in_stop: counts.barge_in_stop.percentiles(),
            media: MediaReport::new(&counts.received, &counts.sending),
            lowest_mos: streams.first().map(|stream| stream.mos),
            median_mos: streams.get(streams.len() / 2).map(|stream| stream.mos),
            streams,
            setup_curve: counts.setup.curve(),
            caller_heard_curve: counts.caller_heard.curve(),
            spacing_curve: counts.received.spacing.curve(),
            node: None,
            quiet: false,
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
        let refused = self.refused_why.iter().filter(|_| !self.may_refuse).map(|why| ("refused", why));
        let lost = self.lost_why.iter().map(|why| ("lost", why));
        let mut problems: Vec<String> =
            refused.chain(lost).map(|(what, (why, count))| format!("{count} calls {what}: {why}")).collect();
        if self.one_way > 0 {
            problems.push(format!("{} calls heard nothing (one-way audio)", self.one_way));
        }
        if self.unanswered > 0 {
            problems.push(format!("{} of {} questions were not answered in time", self.unanswered, self.questions));
        }
        if self.questions == 0 && !self.quiet {
            problems.push("not one question was asked: hold calls for longer than the greeting".to_owned());
        }
        problems.extend(self.media.problems());
        problems
    }
}

impl fmt::Display for FleetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::default();
        table
            .row(
                "calls",
                format!(
                    "{} ({} at a time), {} lost, {} one-way, {} disturbed",
                    self.calls, self.concurrent, self.lost, self.one_way, self.disturbed
                ),
            )
            .row("call set-up", self.setup);
        if self.refused > 0 {
            table.row("refused", format!("{}, after {}", self.refused, self.refusal));
        }
        if !self.quiet {
            table
                .row("questions", format!("{}, {} unanswered", self.questions, self.unanswered))
                .row("caller-heard latency", self.caller_heard);
        }
        if self.barge_in_stop.count > 0 {
            table.row("barge-in to silence", self.barge_in_stop);
        }
        self.media.rows(&mut table);
        if let (Some(median), Some(lowest)) = (self.median_mos, self.lowest_mos) {
            table.row("MOS of the streams", format!("p50 {median:.2}  lowest {lowest:.2}"));
        }
        self.node.iter().for_each(|node| node.rows(&mut table));
        write!(f, "{table}")
    }
}

fn duration(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
}
