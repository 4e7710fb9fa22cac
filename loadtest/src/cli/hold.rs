//! `loadtest hold`: established calls in numbers, without audio, held for a time.
//! Holding them is `hold`, the numbers are `report`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::sip::watch;
use super::{Dialling, Outcome, duration, judged, rate, stop_on_signal, write_json};
use crate::fleet::Progress;
use crate::hold::{self, MOST_CALLS};
use crate::measure::process::Usage;
use crate::report::NodeUsage;

/// Hold many established calls without audio; exit 0 if none was lost and all were ended
#[derive(Debug, Args)]
pub struct Hold {
    #[command(flatten)]
    dialling: Dialling,
    /// Calls in all
    #[arg(long, default_value_t = 200_000)]
    calls: usize,
    /// New calls a second, and then BYEs a second
    #[arg(long, default_value_t = 500.0, value_parser = rate)]
    rate: f64,
    /// How long all of them stand
    #[arg(long, default_value = "10m", value_parser = duration)]
    hold: Duration,
    /// Process id of the node, on this machine: tells what a call costs it
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

// === impl Hold ===

impl Hold {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        ensure!(self.calls <= MOST_CALLS, "--calls {}: at most {MOST_CALLS}", self.calls);
        let phone = Arc::new(self.dialling.phone(1).await?);
        let target = self.dialling.target(false);
        println!(
            "{} calls to {} at {} a second, held for {} s",
            self.calls,
            self.dialling.target,
            self.rate,
            self.hold.as_secs_f64()
        );
        let (progress, over) = (Arc::new(Progress::default()), CancellationToken::new());
        self.pid.map(Usage::of).transpose().context("the node of --pid")?;
        let watched = tokio::spawn(watch(progress.clone(), self.calls, self.pid, over.clone()));
        let wanted = hold::Hold { calls: self.calls, rate: self.rate, hold: self.hold, target };
        let report = hold::run(phone.clone(), wanted, progress, stop_on_signal()).await;
        over.cancel();
        let samples = watched.await?;
        let mut report = report.context("no port for the node's reports")?;
        report.node = NodeUsage::new(&samples, report.held);
        if let Some(phone) = Arc::into_inner(phone) {
            phone.shutdown().await;
        }
        if let Some(path) = &self.json {
            write_json(path, &report)?;
        }
        println!("\n{report}");
        Ok(judged(&report.problems(), report.interrupted))
    }
}
