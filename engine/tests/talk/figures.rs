//! Percentiles of what was measured, and the line that is printed of it.
//! What is measured is the scenes' business.

/// Measured milliseconds.
#[derive(Debug, Default)]
pub struct Figures(Vec<u64>);

// === impl Figures ===

impl Figures {
    pub fn push(&mut self, ms: u64) {
        self.0.push(ms);
    }

    /// The `percent`-th percentile by nearest rank, ms.
    pub fn percentile(&self, percent: usize) -> u64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted[rank - 1]
    }

    pub fn print(&self, what: &str) {
        let [p50, p95, p99, most] = [50, 95, 99, 100].map(|percent| self.percentile(percent));
        println!("{what:58} p50 {p50:5}  p95 {p95:5}  p99 {p99:5}  most {most:5} ms  of {}", self.0.len());
    }
}

impl FromIterator<u64> for Figures {
    fn from_iter<I: IntoIterator<Item = u64>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

/// Prints how many of all, and gives the percentage.
pub fn percent(what: &str, some: usize, all: usize) -> f64 {
    let percent = 100.0 * some as f64 / all as f64;
    println!("{what:58} {some:3} of {all:3}  {percent:5.1} %");
    percent
}
