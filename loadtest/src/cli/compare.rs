//! `loadtest compare`: two WAV files, how alike they sound.
//! The comparison is `measure::alignment`.

use std::path::PathBuf;

use clap::Args;

use super::{Outcome, write_json};
use crate::measure::alignment;
use crate::report::Table;
use crate::wav;

/// Find a reference recording in what was heard, and measure how well it got through
#[derive(Debug, Args)]
pub struct Compare {
    /// What was heard (WAV)
    #[arg(long, value_name = "FILE")]
    heard: PathBuf,
    /// What should have been heard (WAV)
    #[arg(long, value_name = "FILE")]
    reference: PathBuf,
    /// Channel of the heard file, from 0; in a call's recording 0 is the caller, 1 the agent
    #[arg(long, default_value_t = 0)]
    channel: u16,
    /// Least correlation to pass
    #[arg(long, default_value_t = 0.99)]
    min_correlation: f64,
    /// Longest gap to pass, ms
    #[arg(long, default_value_t = 10)]
    max_gap_ms: u32,
    /// Worst click to pass, as a share of the reference's peak
    #[arg(long, default_value_t = 0.15)]
    max_click: f64,
    /// Also write the result as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

// === impl Compare ===

impl Compare {
    pub fn run(self) -> anyhow::Result<Outcome> {
        let heard = wav::read(&self.heard, self.channel)?;
        let reference = wav::read(&self.reference, 0)?;
        let found = alignment::compare(&heard, &reference)?;
        let mut table = Table::default();
        table
            .row("correlation", format!("{:.4}", found.correlation))
            .row("begins at", format!("{:.3} s", found.offset_samples as f64 / 8000.0))
            .row("gain", format!("{:.3}", found.gain))
            .row("longest gap", format!("{} ms", found.longest_gap_ms))
            .row("worst click", format!("{:.3} of the peak", found.click));
        print!("{table}");
        if let Some(path) = &self.json {
            write_json(path, &found)?;
        }
        let mut passed = true;
        for (fine, problem) in [
            (found.correlation >= self.min_correlation, format!("correlation is below {}", self.min_correlation)),
            (found.longest_gap_ms <= self.max_gap_ms, format!("a gap is longer than {} ms", self.max_gap_ms)),
            (found.click <= self.max_click, format!("a click is above {}", self.max_click)),
        ] {
            if !fine {
                println!("not as expected: {problem}");
                passed = false;
            }
        }
        Ok(if passed { Outcome::Passed } else { Outcome::Failed })
    }
}
