//! What the node used while it was called: CPU and memory a call, from looks at its process.
//! Looking is `measure::process`; how many calls were up is known to whoever looks.

use std::time::Duration;

use serde::Serialize;

use super::table::Table;
use crate::measure::process::Usage;

/// Looks with at least this share of the most calls count as a steady state.
const STEADY: f64 = 0.95;

/// A shorter steady state says nothing of CPU, whose accounting is in steps of 10 ms.
const SHORTEST: Duration = Duration::from_secs(2);

/// One look at the node's process.
#[derive(Debug, Clone, Copy)]
pub struct NodeSample {
    /// Since the first look, which is before the first call.
    pub at: Duration,
    /// Calls up.
    pub up: usize,
    pub usage: Usage,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct NodeUsage {
    /// Before the first call, and the most, MiB (2^20 bytes).
    pub base_mib: f64,
    pub most_mib: f64,
    /// Of a call while most of them were up, with what the first ones bring in once.
    pub memory_per_call_kib: f64,
    /// Of one call more, as they went from half of the most to all, with what the others grew by meanwhile; `None` if nobody
    /// looked then.
    pub memory_per_further_call_kib: Option<f64>,
    /// Share of a core that a call took while most were up, percent; `None` if that was too short.
    pub core_percent_per_call: Option<f64>,
    /// CPU of the whole run for each call that was answered, µs: its set-up, its media and its end.
    pub cpu_per_call_us: f64,
}

// === impl NodeUsage ===

impl NodeUsage {
    /// `answered`: calls in all. `None` without looks.
    pub fn new(samples: &[NodeSample], answered: usize) -> Option<Self> {
        let (first, last) = (samples.first()?, samples.last()?);
        let most_up = samples.iter().map(|sample| sample.up).max().filter(|up| *up > 0)?;
        let steady: Vec<&NodeSample> = samples.iter().filter(|s| s.up as f64 >= most_up as f64 * STEADY).collect();
        let (begin, end) = (steady.first()?, steady.last()?);
        let time = end.at.saturating_sub(begin.at);
        let up = steady.iter().map(|sample| sample.up as f64).sum::<f64>() / steady.len() as f64;
        let used = end.usage.cpu.saturating_sub(begin.usage.cpu).as_secs_f64();
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let grown =
            |since: &NodeSample| mib(end.usage.resident_bytes.saturating_sub(since.usage.resident_bytes)) * 1024.0;
        // Far enough from all, so that what the others take meanwhile is not taken for theirs.
        let mut growing = samples.iter().take_while(|sample| sample.at < begin.at);
        let half = growing.find(|sample| sample.up * 2 >= most_up && sample.up * 4 <= end.up * 3);
        let all = last.usage.cpu.saturating_sub(first.usage.cpu).as_secs_f64();
        Some(Self {
            base_mib: mib(first.usage.resident_bytes),
            most_mib: mib(samples.iter().map(|sample| sample.usage.resident_bytes).max()?),
            memory_per_call_kib: grown(first) / end.up as f64,
            memory_per_further_call_kib: half.map(|half| grown(half) / (end.up - half.up) as f64),
            core_percent_per_call: (time >= SHORTEST).then(|| used / time.as_secs_f64() / up * 100.0),
            cpu_per_call_us: all / answered.max(1) as f64 * 1e6,
        })
    }

    pub(super) fn rows(&self, table: &mut Table) {
        let core =
            self.core_percent_per_call.map_or_else(|| "not measured".to_owned(), |share| format!("{share:.4} %"));
        let further =
            self.memory_per_further_call_kib.map_or_else(String::new, |kib| format!(", {kib:.1} KiB one more"));
        table
            .row("node: a call", format!("{core} of a core, {:.1} KiB{further}", self.memory_per_call_kib))
            .row("node: a whole call", format!("{:.0} µs of CPU", self.cpu_per_call_us))
            .row("node: memory", format!("{:.1} MiB before, {:.1} MiB at most", self.base_mib, self.most_mib));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(s: u64, up: usize, cpu_ms: u64, mib: u64) -> NodeSample {
        let usage = Usage { cpu: Duration::from_millis(cpu_ms), resident_bytes: mib << 20 };
        NodeSample { at: Duration::from_secs(s), up, usage }
    }

    #[test]
    fn a_call_costs_what_was_used_while_most_were_up() {
        let samples =
            [sample(0, 0, 0, 30), sample(1, 50, 500, 40), sample(2, 100, 1000, 50), sample(12, 100, 2000, 50)];
        let node = NodeUsage::new(&samples, 100).unwrap();
        assert!((node.core_percent_per_call.unwrap() - 0.1).abs() < 1e-9, "{node:?}");
        assert!((node.memory_per_call_kib - 204.8).abs() < 1e-9, "{node:?}");
        assert!(node.memory_per_further_call_kib.is_some_and(|kib| (kib - 204.8).abs() < 1e-9), "{node:?}");
        assert!((node.cpu_per_call_us - 20_000.0).abs() < 1e-6, "{node:?}");
        assert_eq!((node.base_mib, node.most_mib), (30.0, 50.0));
    }

    #[test]
    fn what_the_first_calls_bring_in_is_not_of_one_call_more() {
        let samples = [sample(0, 0, 0, 30), sample(1, 10, 10, 40), sample(2, 60, 60, 45), sample(9, 110, 110, 50)];
        let node = NodeUsage::new(&samples, 110).unwrap();
        let at_once = [sample(0, 0, 0, 30), sample(1, 110, 10, 40), sample(9, 110, 60, 45), sample(10, 60, 110, 45)];
        assert_eq!(NodeUsage::new(&at_once, 110).unwrap().memory_per_further_call_kib, None);
        assert!(node.memory_per_further_call_kib.is_some_and(|kib| (kib - 102.4).abs() < 1e-9), "{node:?}");
    }

    #[test]
    fn a_moment_says_nothing_of_cpu_and_no_call_nothing_at_all() {
        let node = NodeUsage::new(&[sample(0, 0, 0, 30), sample(1, 9, 9, 31), sample(2, 9, 18, 31)], 9).unwrap();
        assert_eq!(node.core_percent_per_call, None);
        assert_eq!(NodeUsage::new(&[sample(0, 0, 0, 30)], 0), None);
    }
}
