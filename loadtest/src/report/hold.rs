//! The report of calls that only stood: how many were up at once, which of them were lost, what they cost the node.
//! Holding them is `hold`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::node::NodeUsage;
use super::table::Table;
use crate::measure::histogram::{Durations, Percentiles};

/// What became of one call.
pub enum HeldCall {
    /// It stood until we ended it, and the other side agreed. INVITE to 200 took so long.
    Ended { setup: Duration },
    /// It never was up.
    NotUp(String),
    /// It was over before its time.
    Lost(String),
    /// Our BYE was not answered.
    NotEnded(String),
}

#[derive(Debug, Clone, Serialize)]
pub struct HoldReport {
    pub calls: usize,
    /// Up when all were dialled, and when their time was over.
    pub held: usize,
    pub still_up: usize,
    pub ended: usize,
    /// Calls that were not set up, lost, or not ended; and why, counted.
    pub failed: BTreeMap<String, usize>,
    pub setup: Percentiles,
    /// Calls a second until all were up.
    pub setups_a_second: f64,
    /// Datagrams the node sent: its reports (RTCP).
    pub reports: u64,
    /// What the node used, if its process was to be watched.
    pub node: Option<NodeUsage>,
    /// The run was stopped by hand.
    pub interrupted: bool,
}

// === impl HoldReport ===

impl HoldReport {
    pub fn new(
        calls: &[HeldCall],
        set_up_in: Duration,
        (held, still_up): (usize, usize),
        reports: u64,
        interrupted: bool,
    ) -> Self {
        let (mut setup, mut failed, mut ended) = (Durations::default(), BTreeMap::new(), 0);
        for call in calls {
            let why = match call {
                HeldCall::Ended { setup: took } => {
                    setup.record(*took);
                    ended += 1;
                    continue;
                }
                HeldCall::NotUp(why) => format!("not set up: {why}"),
                HeldCall::Lost(why) => format!("lost: {why}"),
                HeldCall::NotEnded(why) => format!("not ended: {why}"),
            };
            *failed.entry(why).or_default() += 1;
        }
        Self {
            calls: calls.len(),
            held,
            still_up,
            ended,
            failed,
            setup: setup.percentiles(),
            setups_a_second: held as f64 / set_up_in.as_secs_f64().max(0.001),
            reports,
            node: None,
            interrupted,
        }
    }

    /// What is not as it should be, as plain sentences.
    pub fn problems(&self) -> Vec<String> {
        self.failed.iter().map(|(why, count)| format!("{count} calls {why}")).collect()
    }
}

impl fmt::Display for HoldReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Percentiles { p50_ms, p99_ms, max_ms, .. } = self.setup;
        let mut table = Table::default();
        table
            .row("calls", format!("{}, {} up at once, {} at the end", self.calls, self.held, self.still_up))
            .row("ended cleanly", self.ended)
            .row("call set-up", format!("p50 {p50_ms:.0}  p99 {p99_ms:.0}  max {max_ms:.0} ms"))
            .row("", format!("{:.0} a second", self.setups_a_second))
            .row("reports of the node", self.reports);
        self.node.iter().for_each(|node| node.rows(&mut table));
        write!(f, "{table}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_did_not_stand_to_the_end_are_told_by_why() {
        let lost = || HeldCall::Lost("RemoteBye".to_owned());
        let fine = HeldCall::Ended { setup: Duration::from_millis(2) };
        let calls = [fine, lost(), lost(), HeldCall::NotUp("503".to_owned()), HeldCall::NotEnded("408".to_owned())];
        let report = HoldReport::new(&calls, Duration::from_secs(2), (4, 2), 9, false);
        assert_eq!(report.problems(), ["2 calls lost: RemoteBye", "1 calls not ended: 408", "1 calls not set up: 503"]);
        assert_eq!((report.calls, report.ended, report.setups_a_second), (5, 1, 2.0));
    }
}
