//! `loadtest talk`: how it feels to talk to an agent, with people's recordings, and any agent's.
//! Trying it is `feel`, the numbers are `report`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};

use super::{Dialling, Outcome, progress_bar, stop_on_signal, write_json};
use crate::feel::{self, Kind, Plan};
use crate::report::{FeelReport, page};

/// Ask, pause, interrupt and make noises, one call each; exit 3 if we were too slow to tell
///
/// The agent must answer whatever it is asked, and speak for 8 s at least when it does: with `loadtest ai-stub` as its
/// provider, `--reply` says what. A target `ws://…` is called as Twilio Media Streams would.
#[derive(Debug, Args)]
pub struct Talk {
    #[command(flatten)]
    dialling: Dialling,
    /// Calls at a time
    #[arg(long, default_value_t = 10)]
    callers: usize,
    /// What to try
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::value_variants().to_vec())]
    only: Vec<Kind>,
    /// Calls of each kind at most; of more, every n-th
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    most: usize,
    /// Media threads; one serves about a thousand calls
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the report as a page with plots
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

// === impl Talk ===

impl Talk {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        ensure!(self.callers > 0 && self.most > 0, "with no caller or no call there is nothing to be measured");
        let phone = Arc::new(self.dialling.phone(self.threads).await?);
        let target = self.dialling.target(false);
        let plan = Plan { target, callers: self.callers, kinds: self.only.clone(), most: self.most };
        let bar = progress_bar(0, "{pos}/{len} calls");
        let stop = stop_on_signal();
        let (reply, tried) = feel::run(phone.clone(), plan, stop.clone(), |done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        })
        .await?;
        bar.finish_and_clear();
        if let Some(phone) = Arc::into_inner(phone) {
            phone.shutdown().await;
        }
        let report = FeelReport::new(&self.dialling.target, self.callers, reply, &tried);
        if let Some(why) = report.media.generator_too_slow() {
            println!("{why}: nothing of it is to be believed, and no report is written");
            return Ok(Outcome::GeneratorTooSlow);
        }
        println!("{report}");
        if let Some(path) = &self.json {
            write_json(path, &report)?;
        }
        if let Some(path) = &self.html {
            std::fs::write(path, page(&report)).with_context(|| format!("cannot write {}", path.display()))?;
        }
        if stop.is_cancelled() {
            println!("stopped by hand: this is what was seen until then");
        }
        // Numbers are for people to judge; that calls were lost is not a number.
        Ok(if report.failed.is_empty() && !stop.is_cancelled() { Outcome::Passed } else { Outcome::Failed })
    }
}
