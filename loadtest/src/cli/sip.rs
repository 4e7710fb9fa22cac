//! `loadtest sip`: many callers in conversation at once, and what they would have noticed.
//! Running them is `fleet`, the numbers are `report`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Dialling, Outcome, duration, judged, progress_bar, rate, stop_on_signal, write_json};
use crate::caller::{Manners, Prepared};
use crate::fleet::{self, Fleet, Progress};
use crate::measure::process::Usage;
use crate::report::{FleetReport, NodeSample, NodeUsage, fleet_page};
use crate::script::{self, Script};

/// How often progress is shown, and the node looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Hold many conversations at once; exit 0 if nobody noticed, 3 if we were too slow to tell
#[derive(Debug, Args)]
pub struct Sip {
    #[command(flatten)]
    pub(super) dialling: Dialling,
    /// Calls in all
    #[arg(long, default_value_t = 200)]
    pub(super) calls: usize,
    /// New calls a second
    #[arg(long, default_value_t = 20.0, value_parser = rate)]
    rate: f64,
    /// Rise to that rate from nothing in so long
    #[arg(long, default_value = "0s", value_parser = duration)]
    ramp: Duration,
    /// How long each call lasts
    #[arg(long, default_value = "60s", value_parser = duration)]
    hold: Duration,
    /// What callers say, over and over (TOML, see loadtest/scripts/load.toml)
    #[arg(long, conflicts_with = "quiet")]
    script: Option<PathBuf>,
    /// Callers say nothing and only listen
    #[arg(long)]
    quiet: bool,
    /// How long to wait for an answer
    #[arg(long, default_value = "10s", value_parser = duration)]
    answer_within: Duration,
    /// Calls may be refused, as by a node that is full: what counts are the others
    #[arg(long)]
    may_refuse: bool,
    /// Media threads; one serves about a thousand calls
    #[arg(long, default_value_t = 1)]
    pub(super) threads: usize,
    /// Process id of the node, on this machine: tells what a call costs it
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Also write it as a page with plots
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

// === impl Sip ===

impl Sip {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        let fleet = self.fleet().await?;
        let phone = Arc::new(self.dialling.phone(self.threads).await?);
        println!("{self}");
        let progress = Arc::new(Progress::default());
        let over = CancellationToken::new();
        self.pid.map(Usage::of).transpose().context("the node of --pid")?;
        let watched = tokio::spawn(watch(progress.clone(), self.calls, self.pid, over.clone()));
        let mut report = fleet::run(phone.clone(), fleet, progress, stop_on_signal()).await;
        over.cancel();
        report.node = NodeUsage::new(&watched.await?, report.setup.count as usize);
        (report.quiet, report.may_refuse) = (self.quiet, self.may_refuse);
        if let Some(phone) = Arc::into_inner(phone) {
            phone.shutdown().await;
        }
        if let Some(path) = &self.json {
            write_json(path, &report)?;
        }
        if let Some(path) = &self.html {
            let page = fleet_page(&report, &self.dialling.target);
            std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(judge(&report))
    }

    /// The calls, with their voices made.
    pub(super) async fn fleet(&self) -> anyhow::Result<Fleet> {
        Ok(Fleet {
            calls: self.calls,
            rate: self.rate,
            ramp: self.ramp,
            hold: self.hold,
            lines: self.lines().await?,
            target: self.dialling.target(false),
            manners: Manners { answer_within: self.answer_within, ..Manners::default() },
        })
    }

    /// Options that only a run on one machine has.
    pub(super) fn wants_one_machine(&self) -> bool {
        self.quiet || self.may_refuse || self.pid.is_some() || self.html.is_some()
    }

    async fn lines(&self) -> anyhow::Result<Vec<Prepared>> {
        if self.quiet {
            return Ok(Vec::new());
        }
        let (script, name) = match &self.script {
            Some(path) => (Script::read(path)?, path.display().to_string()),
            None => (Script::parse(script::LOAD, "load.toml")?, "load.toml".to_owned()),
        };
        Ok(script.prepare(&name, None).await?)
    }
}

impl fmt::Display for Sip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (calls, target, hold) = (self.calls, &self.dialling.target, self.hold.as_secs_f64());
        write!(f, "{calls} calls to {target} at {} a second, each {hold} s long", self.rate)
    }
}

pub(super) fn judge(report: &FleetReport) -> Outcome {
    println!("\n{report}");
    let outcome = judged(&report.problems(), report.interrupted);
    if let Some(why) = report.media.generator_too_slow() {
        println!("{why}: these numbers say nothing about the node");
        return Outcome::GeneratorTooSlow;
    }
    outcome
}

/// Shows how far the run is, on a terminal only, and looks at the node, until it is `over`.
pub(super) async fn watch(
    progress: Arc<Progress>,
    calls: usize,
    pid: Option<u32>,
    over: CancellationToken,
) -> Vec<NodeSample> {
    let bar = progress_bar(calls as u64, "{pos}/{len} finished, {msg}");
    let began = Instant::now();
    let mut looks = tokio::time::interval(LOOK);
    let mut samples = Vec::new();
    while !over.is_cancelled() {
        tokio::select! {
            _ = looks.tick() => {}
            () = over.cancelled() => {}
        }
        let up = progress.up.load(Ordering::Relaxed);
        // A node that died shows in the calls.
        let usage = pid.and_then(|pid| Usage::of(pid).ok());
        samples.extend(usage.map(|usage| NodeSample { at: began.elapsed(), up, usage }));
        bar.set_position(progress.finished.load(Ordering::Relaxed) as u64);
        bar.set_message(format!(
            "{} dialled, {up} up, {} lost",
            progress.dialled.load(Ordering::Relaxed),
            progress.lost.load(Ordering::Relaxed)
        ));
    }
    bar.finish_and_clear();
    samples
}
