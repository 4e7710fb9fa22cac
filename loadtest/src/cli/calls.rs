//! `loadtest calls`: many callers in conversation at once, and what they would have noticed.
//! Running them is `fleet`, the numbers are `report`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Dialling, Outcome, duration, stop_on_signal, write_json};
use crate::caller::Manners;
use crate::fleet::{self, Fleet, Progress};
use crate::report::FleetReport;
use crate::script::{self, Script};

/// Hold many conversations at once; exit 0 if nobody noticed, 3 if we were too slow to tell
#[derive(Debug, Args)]
pub struct Calls {
    #[command(flatten)]
    pub(super) dialling: Dialling,
    /// Calls in all
    #[arg(long, default_value_t = 200)]
    pub(super) calls: usize,
    /// New calls a second
    #[arg(long, default_value_t = 20.0)]
    rate: f64,
    /// How long each call lasts
    #[arg(long, default_value = "60s", value_parser = duration)]
    hold: Duration,
    /// What callers say, over and over (TOML, see loadtest/scripts/load.toml)
    #[arg(long)]
    script: Option<PathBuf>,
    /// How long to wait for an answer
    #[arg(long, default_value = "10s", value_parser = duration)]
    answer_within: Duration,
    /// Media threads; one serves about a thousand calls
    #[arg(long, default_value_t = 1)]
    pub(super) threads: usize,
    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
}

// === impl Calls ===

impl Calls {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        let fleet = self.fleet().await?;
        let phone = Arc::new(self.dialling.phone(self.threads).await?);
        println!("{self}");
        let progress = Arc::new(Progress::default());
        let shown = tokio::spawn(show(progress.clone(), self.calls));
        let report = fleet::run(phone.clone(), fleet, progress, stop_on_signal()).await;
        shown.abort();
        if let Some(phone) = Arc::into_inner(phone) {
            phone.shutdown().await;
        }
        if let Some(path) = &self.json {
            write_json(path, &report)?;
        }
        Ok(judge(&report))
    }

    /// The calls, with their voices made.
    pub(super) async fn fleet(&self) -> anyhow::Result<Fleet> {
        ensure!(self.rate.is_finite() && self.rate > 0.0, "--rate {} is no number of calls a second", self.rate);
        let (script, name) = match &self.script {
            Some(path) => (Script::read(path)?, path.display().to_string()),
            None => (Script::parse(script::LOAD, "load.toml")?, "load.toml".to_owned()),
        };
        Ok(Fleet {
            calls: self.calls,
            rate: self.rate,
            hold: self.hold,
            lines: script.prepare(&name, None).await?,
            target: self.dialling.target(false),
            manners: Manners { answer_within: self.answer_within, ..Manners::default() },
        })
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (calls, target, hold) = (self.calls, &self.dialling.target, self.hold.as_secs_f64());
        write!(f, "{calls} calls to {target} at {} a second, each {hold} s long", self.rate)
    }
}

pub(super) fn judge(report: &FleetReport) -> Outcome {
    println!("\n{report}");
    for problem in &report.problems() {
        println!("not as expected: {problem}");
    }
    if let Some(why) = report.media.generator_too_slow() {
        println!("{why}: these numbers say nothing about the node");
        return Outcome::GeneratorTooSlow;
    }
    if report.interrupted {
        println!("stopped by hand: this is what was seen until then");
    }
    if report.problems().is_empty() && !report.interrupted { Outcome::Passed } else { Outcome::Failed }
}

/// Draws on a terminal only; ends when it is aborted.
async fn show(progress: Arc<Progress>, calls: usize) {
    let bar = ProgressBar::new(calls as u64);
    if let Ok(style) = ProgressStyle::with_template("{elapsed:>4} {bar:30} {pos}/{len} finished, {msg}") {
        bar.set_style(style);
    }
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    loop {
        tick.tick().await;
        bar.set_position(progress.finished.load(Ordering::Relaxed) as u64);
        bar.set_message(format!(
            "{} dialled, {} up, {} lost",
            progress.dialled.load(Ordering::Relaxed),
            progress.up.load(Ordering::Relaxed),
            progress.lost.load(Ordering::Relaxed)
        ));
    }
}
