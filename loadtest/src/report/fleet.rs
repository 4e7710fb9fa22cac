//! The report of many calls at once: what was lost, how evenly packets came, how soon answers were heard.
//! Running the calls is `fleet`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

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

// === impl FleetReport ===

impl FleetReport {
    pub fn new(results: &[CallResult], concurrent: usize, interrupted: bool) -> Self {
        let (mut setup, mut caller_heard, mut stops) =
            (Durations::default(), Durations::default(), Durations::default());
        let (mut received, mut sending) = (SpacingCounts::default(), SendCounts::default());
        let mut lost_why = BTreeMap::new();
        let (mut one_way, mut disturbed, mut questions, mut unanswered) = (0, 0, 0, 0);
        for call in results {
            if let Some(why) = &call.lost {
                *lost_why.entry(why.clone()).or_default() += 1;
            }
            call.setup.iter().for_each(|time| setup.record(*time));
            for line in &call.lines {
                questions += 1;
                unanswered += u64::from(!line.answered);
                line.latency_ms.iter().for_each(|ms| caller_heard.record(duration(*ms)));
                line.stopped_after_ms.iter().for_each(|ms| stops.record(duration(*ms)));
            }
            if let Some(media) = &call.media {
                received.merge(&media.received);
                sending.merge(&media.sending);
                one_way += usize::from(media.voiced_frames == 0 && !call.lines.is_empty());
                let counts = &media.received;
                disturbed += usize::from(counts.gaps + counts.lost + counts.timestamp_jumps > 0);
            }
        }
        Self {
            calls: results.len(),
            concurrent,
            lost: results.iter().filter(|call| call.lost.is_some()).count(),
            lost_why,
            one_way,
            disturbed,
            questions,
            unanswered,
            setup: setup.percentiles(),
            caller_heard: caller_heard.percentiles(),
            barge_in_stop: stops.percentiles(),
            media: MediaReport::new(&received, &sending),
            interrupted,
        }
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
