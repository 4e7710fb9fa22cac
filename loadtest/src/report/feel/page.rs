//! The report as a page: the table, and plots of it.
//! The numbers are the report's; how a page and an SVG are written is `report::plot`.

use std::fmt::Write;

use super::{FeelReport, Times};
use crate::report::plot::{HEIGHT, MARGIN, WIDTH, axis, opened, page_begins, text};

/// The page of a report.
pub fn page(report: &FeelReport) -> String {
    let heading = format!("Talking to {}", report.target);
    let mut html = page_begins("loadtest talk", &heading, &report.to_string());
    for (title, times) in [
        ("Caller-heard latency: last frame of speech to first sound of the answer", &report.caller_heard),
        ("The same after a pause in the sentence", &report.caller_heard_after_pause),
        ("Barge-in: first frame of speech to silence", &report.barge_in_stop),
    ] {
        if !times.all_ms.is_empty() {
            html += &format!("<h2>{title}</h2>{}", shares_by_time(times));
        }
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
    if !bars.is_empty() {
        html += &format!("<h2>How often</h2>{}", percentages(&bars));
    }
    html + "</html>\n"
}

/// The share of what took at most so long.
fn shares_by_time(times: &Times) -> String {
    let most = (times.max_ms / 100.0).ceil().max(1.0) * 100.0;
    let x = |ms: f64| MARGIN + ms / most * (WIDTH - 2.0 * MARGIN);
    let y = |share: f64| HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN);
    let mut path = format!("M{:.1} {:.1}", x(0.0), y(0.0));
    for (ms, n) in times.all_ms.iter().zip(1..) {
        let share = f64::from(n) / times.all_ms.len() as f64;
        // Writing to a string cannot fail.
        let _ = write!(path, "H{:.1}V{:.1}", x(*ms), y(share));
    }
    let mut svg = opened(HEIGHT);
    for quarter in 0..=4 {
        let share = f64::from(quarter) / 4.0;
        axis(&mut svg, (x(0.0), y(share)), (x(most), y(share)));
        text(&mut svg, (4.0, y(share) + 4.0), &format!("{:.0} %", share * 100.0));
        text(&mut svg, (x(most * share) - 16.0, HEIGHT - MARGIN + 20.0), &format!("{:.0} ms", most * share));
    }
    svg + &format!("<path class=\"line\" d=\"{path}\"/></svg>")
}

fn percentages(bars: &[(String, f64)]) -> String {
    const ROW: f64 = 24.0;
    const NAMES: f64 = 200.0;
    let mut svg = opened(ROW * bars.len() as f64 + 8.0);
    for ((name, percent), n) in bars.iter().zip(0..) {
        let top = ROW * f64::from(n) + 4.0;
        let width = percent / 100.0 * (WIDTH - NAMES - MARGIN - 16.0);
        text(&mut svg, (4.0, top + 15.0), name);
        let _ = write!(
            svg,
            "<rect class=\"bar\" x=\"{NAMES}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"18\"/>",
            width.max(1.0)
        );
        text(&mut svg, (NAMES + width + 8.0, top + 14.0), &format!("{percent:.1} %"));
    }
    svg + "</svg>"
}
