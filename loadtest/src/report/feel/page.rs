//! The report of `loadtest talk` as a page.
//! The numbers are the report's; how a page and an SVG are written is `report::plot`.

use super::{FeelReport, Times};
use crate::report::plot;

/// The page of a report.
pub fn page(report: &FeelReport) -> String {
    let heading = format!("Talking to {}", report.target);
    let mut html = plot::page_begins("loadtest talk", &heading, &report.to_string());
    for (title, times) in [
        ("Caller-heard latency: last frame of speech to first sound of the answer", &report.caller_heard),
        ("The same after a pause in the sentence", &report.caller_heard_after_pause),
        ("Barge-in: first frame of speech to silence", &report.barge_in_stop),
    ] {
        html += &plot::shares_by_time(title, &points(times));
    }
    let pauses = report.cut_off.iter().map(|(ms, share)| (format!("inside {ms} ms"), share.percent()));
    let named = [
        ("interruptions that stopped it", report.stopped),
        ("words that ended its turn", report.word_ended),
        ("words: heard again in 1 s", report.word_went_on),
        ("sounds that ended its turn", report.sound_ended),
        ("sounds: heard again in 1 s", report.sound_went_on),
    ];
    let named = named.into_iter().filter(|(_, share)| share.of > 0);
    let bars: Vec<(String, f64)> =
        pauses.chain(named.map(|(name, share)| (name.to_owned(), share.percent()))).collect();
    html + &plot::percentages("How often", &bars) + "</html>\n"
}

fn points(times: &Times) -> Vec<(f64, f64)> {
    let all = times.all_ms.len() as f64;
    times.all_ms.iter().zip(1..).map(|(ms, n)| (*ms, f64::from(n) / all)).collect()
}
