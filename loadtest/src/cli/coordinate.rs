//! `loadtest coordinate`: `loadtest sip` from many machines, with one report.
//! Speaking with the workers is `coordinator`; what a run must be is as with `sip`.

use std::collections::BTreeMap;

use anyhow::ensure;
use clap::Args;
use serde_json::{Value, json};

use super::sip::{Sip, judge};
use super::{Outcome, progress_bar, stop_on_signal, write_json};
use crate::coordinator::{self, Gathered, Job, Totals};
use crate::report::FleetReport;

/// Divide the calls of `loadtest sip` among workers and merge what they measure; exits like `sip`
#[derive(Debug, Args)]
pub struct Coordinate {
    /// A worker; may be given again
    #[arg(long = "worker", value_name = "HOST:PORT", required = true)]
    workers: Vec<String>,
    /// What workers were started with
    #[arg(long, env = "LOADTEST_TOKEN", hide_env_values = true)]
    token: String,
    #[command(flatten)]
    calls: Sip,
}

// === impl Coordinate ===

impl Coordinate {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        ensure!(self.calls.dialling.listen.port() == 0, "--listen is each worker's own: loadtest worker --sip");
        ensure!(!self.calls.wants_one_machine(), "--quiet, --may-refuse, --pid and --html are for `loadtest sip`");
        let job = Job::new(&self.calls.fleet().await?, self.calls.threads);
        println!("{} workers: {}", self.workers.len(), self.calls);
        let bar = progress_bar(self.calls.calls as u64, "{pos}/{len} finished, {msg}");
        let shown = |totals: Totals| {
            bar.set_position(totals.finished as u64);
            let Totals { dialled, up, lost, workers, .. } = totals;
            bar.set_message(format!("{workers} workers, {dialled} dialled, {up} up, {lost} lost"));
        };
        let gathered = coordinator::run(&self.workers, &self.token, &job, shown, stop_on_signal()).await?;
        bar.finish_and_clear();
        if let Some(path) = &self.calls.json {
            write_json(path, &as_json(&gathered))?;
        }
        Ok(judge_all(&gathered))
    }
}

fn as_json(gathered: &Gathered) -> Value {
    let workers: BTreeMap<&str, Value> = gathered
        .workers
        .iter()
        .map(|end| {
            let counted = match &end.counts {
                Ok(counts) => json!(FleetReport::from(counts)),
                Err(died) => json!({ "died": died }),
            };
            (end.worker.as_str(), counted)
        })
        .collect();
    json!({ "merged": FleetReport::from(&gathered.merged()), "workers": workers })
}

/// A run in which a worker died has failed; one in which a single worker fell behind says nothing, however well the others
/// did.
fn judge_all(gathered: &Gathered) -> Outcome {
    let outcome = judge(&FleetReport::from(&gathered.merged()));
    let mut too_slow = outcome == Outcome::GeneratorTooSlow;
    for end in &gathered.workers {
        let slow = end.counts.as_ref().ok().and_then(|counts| FleetReport::from(counts).media.generator_too_slow());
        if let Some(why) = slow {
            println!("worker {}: {why}", end.worker);
            too_slow = true;
        }
    }
    let mut died = false;
    for (worker, how) in gathered.dead() {
        println!("worker {worker} died: {how}");
        died = true;
    }
    match (died, too_slow) {
        (true, _) => Outcome::Failed,
        (false, true) => Outcome::GeneratorTooSlow,
        (false, false) => outcome,
    }
}

#[cfg(test)]
mod tests;
