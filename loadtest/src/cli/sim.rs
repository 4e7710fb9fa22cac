//! `loadtest sim`: a fleet at 200,000 calls in virtual time, and what happens when something happens to it.
//! The simulation is `sim`, the numbers are `report`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use super::{Outcome, duration, judged, progress_bar, stop_on_signal, write_json};
use crate::report::{SimReport, sim_page};
use crate::sim::{self, Balance, NodeLoss, Plan, Progress, RollOut, Slowdown, Stages, Wave};

/// Simulate a fleet with the engine's own calls in virtual time; the same seed gives the same report
///
/// Every call is a real one with real packets until both directions are proven; after that one in `--media` converses to
/// its end and the others stay up with idle media. Nodes, dispatcher and providers are modelled.
#[derive(Debug, Args)]
pub struct Sim {
    /// Calls up at once after the ramp
    #[arg(long, default_value_t = 200_000)]
    calls: usize,
    #[arg(long, default_value_t = 100)]
    nodes: usize,
    /// Most calls of a node (default: a third more than its share)
    #[arg(long)]
    capacity: Option<usize>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long until all calls are up
    #[arg(long, default_value = "50s", value_parser = duration)]
    ramp: Duration,
    /// How long a call lasts on average: between half and one and a half of it
    #[arg(long, default_value = "120s", value_parser = duration)]
    hold: Duration,
    /// Virtual time in all
    #[arg(long, default_value = "20m", value_parser = duration)]
    length: Duration,
    /// One call in so many converses to its end; 1: all, at 50 ticks a second each
    #[arg(long, value_name = "N", default_value_t = 100)]
    media: u64,
    /// How nodes are chosen
    #[arg(long, value_enum, default_value_t = Balance::RoundRobin)]
    balance: Balance,
    /// Silence after which a node is passed over
    #[arg(long, default_value = "500ms", value_parser = duration)]
    fr_timer: Duration,
    /// Time between OPTIONS to a node
    #[arg(long, default_value = "2s", value_parser = duration)]
    ping_every: Duration,
    /// Nodes that die
    #[arg(long, default_value_t = 1)]
    lose: usize,
    /// When they die
    #[arg(long, default_value = "81s", value_parser = duration)]
    lose_at: Duration,
    /// How long they are away (default: for good)
    #[arg(long, value_parser = duration)]
    back_after: Option<Duration>,
    /// Share of the callers that lost their call who dial again
    #[arg(long, default_value_t = 1.0)]
    redial: f64,
    /// How long that takes them on average
    #[arg(long, default_value = "4s", value_parser = duration)]
    redial_after: Duration,
    /// Nodes replaced at once in the roll-out; 0: no roll-out
    #[arg(long, default_value_t = 20)]
    roll_out: usize,
    /// When the roll-out begins
    #[arg(long, default_value = "200s", value_parser = duration)]
    roll_out_at: Duration,
    /// A draining node is stopped after so long
    #[arg(long, default_value = "200s", value_parser = duration)]
    drain_limit: Duration,
    /// From a node's stop to its start
    #[arg(long, default_value = "5s", value_parser = duration)]
    restart: Duration,
    /// Providers take FACTOR times as long, from AT on for LENGTH; `none`: never
    #[arg(long, value_name = "AT+LENGTH*FACTOR", default_value = "120s+30s*4")]
    slowdown: String,
    /// Callers dial FACTOR times as often; may be given again; `none`: never
    #[arg(long = "wave", value_name = "AT+LENGTH*FACTOR", default_value = "160s+10s*1.5")]
    waves: Vec<String>,
    /// Time to a transcript, half of the time, ms
    #[arg(long, default_value_t = 100)]
    stt_ms: u64,
    /// Time to the first token, ms
    #[arg(long, default_value_t = 100)]
    token_ms: u64,
    /// Time to the first byte of speech, ms
    #[arg(long, default_value_t = 100)]
    tts_ms: u64,
    /// How much these vary: standard deviation of their logarithm
    #[arg(long, default_value_t = 0.3)]
    spread: f64,
    /// Share of the calls of which one direction is dead
    #[arg(long, default_value_t = 0.0)]
    one_way: f64,
    /// Threads; the result does not depend on it (default: all cores)
    #[arg(long)]
    threads: Option<usize>,
    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the report as a page with plots
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

// === impl Sim ===

impl Sim {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        let plan = Arc::new(self.plan()?);
        let (progress, stop) = (Arc::new(Progress::default()), stop_on_signal());
        let began = Instant::now();
        let mut running = {
            let (plan, progress, stop) = (plan.clone(), progress.clone(), stop.clone());
            tokio::task::spawn_blocking(move || sim::run(&plan, &progress, &stop))
        };
        let bar = progress_bar(plan.length.as_secs(), "{pos} of {len} s, {msg}");
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        let found = loop {
            tokio::select! {
                found = &mut running => break found.context("the simulation ended too soon")??,
                _ = tick.tick() => {
                    bar.set_position(progress.at_ms.load(Ordering::Relaxed) / 1000);
                    bar.set_message(format!("{} calls up", progress.up.load(Ordering::Relaxed)));
                }
            }
        };
        bar.finish_and_clear();
        let report = SimReport::new(&plan, &found);
        println!("{report}");
        println!("  in {:.0} s on {} threads{}", began.elapsed().as_secs_f64(), plan.threads, memory());
        if let Some(path) = &self.json {
            write_json(path, &report)?;
        }
        if let Some(path) = &self.html {
            std::fs::write(path, sim_page(&report)).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(judged(&report.problems(), report.interrupted))
    }

    fn plan(&self) -> anyhow::Result<Plan> {
        let stages = Stages {
            transcript: Duration::from_millis(self.stt_ms),
            token: Duration::from_millis(self.token_ms),
            speech: Duration::from_millis(self.tts_ms),
            spread: self.spread,
        };
        let (loss, roll_out) = (self.lose > 0, self.roll_out > 0);
        let waves = self.waves.iter().map(|text| stretch(text)).collect::<Result<Vec<_>, _>>();
        Ok(Plan {
            seed: self.seed,
            calls: self.calls,
            nodes: self.nodes,
            node_capacity: self.capacity.unwrap_or((self.calls * 4).div_ceil(self.nodes.max(1) * 3)),
            ramp: self.ramp,
            hold: self.hold,
            length: self.length,
            media_one_in: self.media,
            balance: self.balance,
            fr_timer: self.fr_timer,
            ping_every: self.ping_every,
            stages,
            loss: loss.then_some(NodeLoss { at: self.lose_at, nodes: self.lose, back_after: self.back_after }),
            redial: self.redial,
            redial_after: self.redial_after,
            roll_out: roll_out.then_some(RollOut {
                at: self.roll_out_at,
                at_once: self.roll_out,
                limit: self.drain_limit,
                restart: self.restart,
            }),
            slowdown: stretch(&self.slowdown).map_err(anyhow::Error::msg)?.map(|(at, length, factor)| Slowdown {
                at,
                length,
                factor,
            }),
            waves: waves
                .map_err(anyhow::Error::msg)?
                .into_iter()
                .flatten()
                .map(|(at, length, factor)| Wave { at, length, factor })
                .collect(),
            one_way: self.one_way,
            threads: self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        })
    }
}

/// `120s+30s*4`: from when on, for how long, and by what factor.
fn stretch(text: &str) -> Result<Option<(Duration, Duration, f64)>, String> {
    if text == "none" {
        return Ok(None);
    }
    let parts = text.split_once('+').and_then(|(at, rest)| Some((at, rest.split_once('*')?)));
    let (at, (length, factor)) = parts.ok_or_else(|| format!("{text:?} is not AT+LENGTH*FACTOR (try 120s+30s*4)"))?;
    let factor = factor.parse().map_err(|_| format!("{factor:?} in {text:?} is no number"))?;
    Ok(Some((duration(at)?, duration(length)?, factor)))
}

/// What the process needed of memory at most, where the system tells.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().strip_suffix("kB")).and_then(|kib| kib.trim().parse::<u64>().ok());
    kib.map_or_else(String::new, |kib| format!(", {:.2} GiB of memory at most", kib as f64 / (1 << 20) as f64))
}
