//! The report of one scripted call: what was understood, how soon it was answered, how it sounded.
//! Holding the call is `talk`; what counts as understood is `script::judge`.

use std::fmt;

use serde_json::json;

use super::media::MediaReport;
use super::table::Table;
use crate::caller::LineHeard;
use crate::caller::media::LegReport;
use crate::script::judge::Verdict;

pub struct TalkReport {
    /// Titles of the script's lines.
    pub lines: Vec<String>,
    /// INVITE to 200.
    pub setup_ms: f64,
    /// As measured by the caller; shorter than `lines` if the call broke off.
    pub heard: Vec<LineHeard>,
    /// As told by the node; empty if no node was asked.
    pub verdicts: Vec<Verdict>,
    pub greeting_missed: Vec<String>,
    /// Why the call was over before the script.
    pub ended: Option<String>,
    pub recording: Option<String>,
    pub media: LegReport,
}

// === impl TalkReport ===

impl TalkReport {
    pub fn understood(&self) -> usize {
        self.verdicts.iter().filter(|verdict| verdict.understood).count()
    }

    /// What went wrong, as plain sentences; none if all was heard and understood.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.greeting_missed.clone();
        for (verdict, number) in self.verdicts.iter().zip(1..) {
            problems.extend(verdict.missed.iter().map(|missed| format!("line {number} ({}): {missed}", verdict.line)));
        }
        problems.extend(self.line_problems());
        problems
    }

    /// What the caller itself missed.
    pub fn line_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(ended) = &self.ended {
            problems.push(format!(
                "the call was over after {} of {} lines: {ended}",
                self.heard.len(),
                self.lines.len()
            ));
        } else if self.heard.len() < self.lines.len() {
            problems.push(format!("only {} of {} lines were said", self.heard.len(), self.lines.len()));
        }
        for (title, _) in self.lines.iter().zip(&self.heard).filter(|(_, heard)| heard.stayed) {
            problems.push(format!("after {title:?} the agent should have hung up, and did not"));
        }
        if self.media.received.packets == 0 {
            problems.push("not one audio packet came back (one-way audio)".to_owned());
        } else if self.media.voiced_frames == 0 {
            problems.push("only silence came back".to_owned());
        }
        problems
    }

    /// Caller-heard latencies as the caller measured them, ms, sorted.
    pub fn latencies_ms(&self) -> Vec<f64> {
        sorted(self.heard.iter().filter_map(|line| line.latency_ms).collect())
    }

    /// The same as the node reported them.
    pub fn reported_ms(&self) -> Vec<f64> {
        let latencies = self.verdicts.iter().filter_map(|verdict| verdict.latency);
        sorted(latencies.map(|latency| f64::from(latency.caller_heard_ms)).filter(|&ms| ms > 0.0).collect())
    }

    pub fn json(&self) -> serde_json::Value {
        json!({
            "lines": self.lines.len(),
            "understood": self.understood(),
            "problems": self.problems(),
            "setup_ms": self.setup_ms,
            "caller_heard_ms": self.latencies_ms(),
            "reported_caller_heard_ms": self.reported_ms(),
            "heard": self.heard,
            "verdicts": self.verdicts,
            "recording": self.recording,
            "media": MediaReport::from(&self.media),
        })
    }
}

impl fmt::Display for TalkReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::default();
        if !self.verdicts.is_empty() {
            table.row("understood", format!("{} of {} lines", self.understood(), self.verdicts.len()));
        }
        table.row("caller-heard latency", middle_and_most(&self.latencies_ms()));
        if !self.verdicts.is_empty() {
            table.row("  as the node saw it", middle_and_most(&self.reported_ms()));
        }
        let stops: Vec<f64> = sorted(self.heard.iter().filter_map(|line| line.stopped_after_ms).collect());
        if !stops.is_empty() {
            table.row("barge-in to silence", middle_and_most(&stops));
        }
        table.row("call set-up", format!("{:.0} ms", self.setup_ms));
        MediaReport::from(&self.media).rows(&mut table);
        if let Some(recording) = &self.recording {
            table.row("recording", recording);
        }
        write!(f, "{table}")
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// `values` sorted, in ms.
fn middle_and_most(values: &[f64]) -> String {
    match (values.get(values.len() / 2), values.last()) {
        (Some(middle), Some(most)) => format!("p50 {middle:.0}  max {most:.0} ms  ({} measured)", values.len()),
        _ => "not measured".to_owned(),
    }
}
