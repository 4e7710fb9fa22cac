//! The report as a page: the table, and plots of the fleet over time.
//! The numbers are the report's; how a page and an SVG are written is `report::plot`.

use super::SimReport;
use crate::report::plot::{over_time, page_begins};

/// The page of a report.
pub fn page(report: &SimReport) -> String {
    let heading = format!("{} calls over {} nodes, simulated", report.most_at_once, report.nodes);
    let mut html = page_begins("loadtest sim", &heading, &report.to_string());
    let by_second = |value: fn(&crate::sim::Second) -> u64| -> Vec<(f64, f64)> {
        report.seconds.iter().zip(0_u32..).map(|(second, n)| (f64::from(n), value(second) as f64)).collect()
    };
    let heard = |value: fn(&crate::measure::histogram::Percentiles) -> f64| -> Vec<(f64, f64)> {
        report.caller_heard_by_time.iter().map(|(s, times)| (*s as f64, value(times))).collect()
    };
    for (title, lines, unit) in [
        ("Calls up", vec![by_second(|second| second.up)], ""),
        (
            "Calls a second: dialled, and answered (orange)",
            vec![by_second(|second| second.offered), by_second(|second| second.answered)],
            "",
        ),
        (
            "Calls a second: refused, and delayed by a silent node (orange)",
            vec![by_second(|second| second.refused), by_second(|second| second.delayed)],
            "",
        ),
        (
            "Caller-heard latency: p50, and p99 (orange)",
            vec![heard(|times| times.p50_ms), heard(|times| times.p99_ms)],
            " ms",
        ),
    ] {
        let lines: Vec<&[(f64, f64)]> = lines.iter().map(Vec::as_slice).collect();
        html += &format!("<h2>{title}</h2>{}", over_time(&lines, unit));
    }
    html + "</html>\n"
}
