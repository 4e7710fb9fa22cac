//! Plots as SVG, and the page around them: one HTML file that needs nothing else.
//! What is plotted is the reports' business.

use std::fmt::Write;

/// Of a plot's area, pixels.
pub const WIDTH: f64 = 640.0;
pub const HEIGHT: f64 = 240.0;
pub const MARGIN: f64 = 44.0;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#223}\
    pre{font:13px/1.5 ui-monospace,monospace;background:#f4f5f7;padding:1rem;overflow-x:auto}\
    svg{width:100%;height:auto}text{font:12px system-ui,sans-serif;fill:#556}\
    .axis{stroke:#aab;stroke-width:1}.line{fill:none;stroke:#2563a8;stroke-width:2}.other{stroke:#c2571a}.bar{fill:#2563a8}";

/// The beginning of a page: its title, a heading, and the report's own table.
pub fn page_begins(title: &str, heading: &str, table: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style>\
         <h1>{}</h1><pre>{}</pre>",
        escaped(title),
        escaped(heading),
        escaped(table)
    )
}

/// What share, 0 to 1, took at most how long, ms: points in order, under a title.
pub fn shares_by_time(title: &str, points: &[(f64, f64)]) -> String {
    let Some(&(longest, _)) = points.last() else { return String::new() };
    let most = (longest / 100.0).ceil().max(1.0) * 100.0;
    let x = |ms: f64| MARGIN + ms / most * (WIDTH - 2.0 * MARGIN);
    let y = |share: f64| HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN);
    let mut path = format!("M{:.1} {:.1}", x(0.0), y(0.0));
    for (ms, share) in points {
        // Writing to a string cannot fail.
        let _ = write!(path, "H{:.1}V{:.1}", x(*ms), y(*share));
    }
    let mut svg = opened(HEIGHT);
    for quarter in 0..=4 {
        let share = f64::from(quarter) / 4.0;
        axis(&mut svg, (x(0.0), y(share)), (x(most), y(share)));
        text(&mut svg, (4.0, y(share) + 4.0), &format!("{:.0} %", share * 100.0));
        text(&mut svg, (x(most * share) - 16.0, HEIGHT - MARGIN + 20.0), &format!("{:.0} ms", most * share));
    }
    titled(title, svg + &format!("<path class=\"line\" d=\"{path}\"/></svg>"))
}

/// Named shares, percent.
pub fn percentages(title: &str, bars: &[(String, f64)]) -> String {
    const ROW: f64 = 24.0;
    const NAMES: f64 = 200.0;
    if bars.is_empty() {
        return String::new();
    }
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
    titled(title, svg + "</svg>")
}

fn titled(title: &str, svg: String) -> String {
    format!("<h2>{}</h2>{svg}", escaped(title))
}

/// A value over time: `points` are (s, value). A second line is drawn in another colour.
pub fn over_time(lines: &[&[(f64, f64)]], unit: &str) -> String {
    let points = || lines.iter().flat_map(|line| line.iter());
    let last = points().map(|point| point.0).fold(1.0, f64::max);
    let most = round_up(points().map(|point| point.1).fold(0.0, f64::max));
    let x = |s: f64| MARGIN + 16.0 + s / last * (WIDTH - 2.0 * MARGIN);
    let y = |value: f64| HEIGHT - MARGIN - value / most * (HEIGHT - 2.0 * MARGIN);
    let mut svg = opened(HEIGHT);
    for quarter in 0..=4 {
        let share = f64::from(quarter) / 4.0;
        axis(&mut svg, (x(0.0), y(most * share)), (x(last), y(most * share)));
        text(&mut svg, (4.0, y(most * share) + 4.0), &format!("{:.0}{unit}", most * share));
        text(&mut svg, (x(last * share) - 16.0, HEIGHT - MARGIN + 20.0), &format!("{:.0} s", last * share));
    }
    for (n, line) in lines.iter().enumerate() {
        let mut path = String::new();
        for (s, value) in *line {
            // Writing to a string cannot fail.
            let _ = write!(path, "{}{:.1} {:.1}", if path.is_empty() { "M" } else { "L" }, x(*s), y(*value));
        }
        let colour = if n == 0 { "" } else { " other" };
        svg += &format!("<path class=\"line{colour}\" d=\"{path}\"/>");
    }
    svg + "</svg>"
}

/// The next number of few digits, so that quarters of it read well.
fn round_up(value: f64) -> f64 {
    let power = 10.0_f64.powf(value.max(1.0).log10().floor());
    [1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 5.0, 6.0, 8.0, 10.0]
        .map(|step| step * power)
        .into_iter()
        .find(|round| *round >= value)
        .unwrap_or(value)
}

pub fn opened(height: f64) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">")
}

pub fn axis(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let _ = write!(svg, "<line class=\"axis\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
}

pub fn text(svg: &mut String, (x, y): (f64, f64), said: &str) {
    let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(said));
}

pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
