//! The report of `loadtest sip` as a page.
//! How a plot is drawn is `plot`; the numbers are the report's.

use super::FleetReport;
use crate::report::plot;

/// The page of a report on calls to `target`.
pub fn fleet_page(report: &FleetReport, target: &str) -> String {
    let heading = format!("{} calls to {target}", report.calls);
    let mut html = plot::page_begins("loadtest sip", &heading, &report.to_string());
    for (title, curve) in [
        ("Caller-heard latency: last frame of speech to first sound of the answer", &report.caller_heard_curve),
        ("Call set-up: INVITE to 200", &report.setup_curve),
        ("Time between packets", &report.spacing_curve),
    ] {
        html += &plot::shares_by_time(title, curve);
    }
    html + &plot::percentages("What became of the calls", &outcomes(report)) + "</html>\n"
}

fn outcomes(report: &FleetReport) -> Vec<(String, f64)> {
    let percent = |count: usize| 100.0 * count as f64 / report.calls.max(1) as f64;
    let refused = report.refused_why.iter().map(|(why, count)| (format!("refused: {why}"), *count));
    let lost = report.lost_why.iter().map(|(why, count)| (format!("lost: {why}"), *count));
    let noticed = [("one-way audio", report.one_way), ("disturbed", report.disturbed)];
    let noticed = noticed.into_iter().map(|(what, count)| (what.to_owned(), count));
    let fine = ("fine".to_owned(), report.calls.saturating_sub(report.refused + report.lost + report.one_way));
    [fine].into_iter().chain(refused).chain(lost).chain(noticed).map(|(what, count)| (what, percent(count))).collect()
}
