//! The command line: one file a command, and what they share (target, durations, exit codes).
//! Commands only read options, start things and print; the work is done elsewhere.

mod ai_stub;
mod ask;
mod capacity;
mod compare;
mod coordinate;
mod demo;
mod echo;
mod echo_node;
mod edge;
mod hold;
mod sim;
mod sip;
mod talk;
mod worker;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use sip_bridge::sdp::Codec;
use tokio_util::sync::CancellationToken;

use crate::caller::{Phone, Target};

/// Calls Tandem like a phone would, and checks what comes back.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    #[command(alias = "calls")]
    Sip(Box<sip::Sip>),
    Hold(hold::Hold),
    Echo(echo::Echo),
    Coordinate(Box<coordinate::Coordinate>),
    Worker(worker::Worker),
    Ask(ask::Ask),
    Compare(compare::Compare),
    Talk(talk::Talk),
    Sim(Box<sim::Sim>),
    Capacity(Box<capacity::Capacity>),
    AiStub(ai_stub::AiStub),
    Edge(edge::Edge),
    EchoNode(echo_node::EchoNode),
}

/// How a command ended; other errors exit with 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0.
    Passed,
    /// Exit code 1: what was checked is not so.
    Failed,
    /// Exit code 3: we were too slow to tell.
    GeneratorTooSlow,
}

/// Whom to call, and how.
#[derive(Debug, Args)]
struct Dialling {
    /// SIP URI to call, or ws:// URL to call as Twilio Media Streams would
    #[arg(long, default_value = "sip:agent@127.0.0.1:5060")]
    target: String,
    /// Our own URI
    #[arg(long, default_value = "sip:caller@127.0.0.1")]
    from: String,
    /// Next hop, if not the target's own address
    #[arg(long, value_name = "ADDR:PORT")]
    via: Option<SocketAddr>,
    /// SIP over TCP
    #[arg(long)]
    tcp: bool,
    /// Encrypt the audio (SRTP, keys in the SDP)
    #[arg(long)]
    srtp: bool,
    /// Extra INVITE header; may be given again
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Codec to offer: PCMU, PCMA, G722 or opus; may be given again, best first (default: all)
    #[arg(long = "codec", value_name = "NAME")]
    codecs: Vec<Codec>,
    /// Address for our SIP (port 0: any)
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Give up a call that is not answered after this
    #[arg(long, default_value = "10s", value_parser = duration)]
    patience: Duration,
}

// === impl Cli ===

impl Cli {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Demo(demo) => demo.run().await,
            Command::Sip(sip) => sip.run().await,
            Command::Hold(hold) => hold.run().await,
            Command::Echo(echo) => echo.run().await,
            Command::Coordinate(coordinate) => coordinate.run().await,
            Command::Worker(worker) => worker.run().await,
            Command::Ask(ask) => ask.run().await,
            Command::Compare(compare) => compare.run(),
            Command::Talk(talk) => talk.run().await,
            Command::Sim(sim) => sim.run().await,
            Command::Capacity(capacity) => capacity.run(),
            Command::AiStub(stub) => stub.run().await,
            Command::Edge(edge) => edge.run().await,
            Command::EchoNode(node) => node.run().await,
        }
    }
}

// === impl Outcome ===

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Passed => Self::SUCCESS,
            Outcome::Failed => Self::from(1),
            Outcome::GeneratorTooSlow => Self::from(3),
        }
    }
}

// === impl Dialling ===

impl Dialling {
    fn target(&self, keep_audio: bool) -> Target {
        Target {
            uri: self.target.clone(),
            from: self.from.clone(),
            via: self.via,
            tcp: self.tcp,
            srtp: self.srtp,
            headers: self.headers.clone(),
            codecs: if self.codecs.is_empty() { Codec::ALL.to_vec() } else { self.codecs.clone() },
            patience: self.patience,
            keep_audio,
        }
    }

    async fn phone(&self, threads: usize) -> anyhow::Result<Phone> {
        Phone::start(self.listen, threads).await.context("cannot start the caller")
    }
}

/// `500ms`, `60s`, `2m`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let value: f64 = digits.parse().map_err(|_| format!("{text:?} is no duration (try 500ms, 60s, 2m)"))?;
    let seconds = match &text[digits.len()..] {
        "ms" => value / 1000.0,
        "" | "s" => value,
        "m" => value * 60.0,
        unit => return Err(format!("{unit:?} is no unit of time (ms, s, m)")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("{text:?}: {error}"))
}

/// So many a second.
fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if rate.is_finite() && rate > 0.0 {
        Ok(rate)
    } else {
        Err(format!("{text} is nothing that happens so often a second"))
    }
}

/// How far a run is, shown on a terminal only, as `template` of indicatif's says after the time and the bar.
fn progress_bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(&format!("{{elapsed:>4}} {{bar:30}} {template}")) {
        bar.set_style(style);
    }
    bar
}

/// What was found, and whether a run that found it and was `interrupted` or not has passed.
fn judged(problems: &[String], interrupted: bool) -> Outcome {
    for problem in problems {
        println!("not as expected: {problem}");
    }
    if interrupted {
        println!("stopped by hand: this is what was seen until then");
    }
    if problems.is_empty() && !interrupted { Outcome::Passed } else { Outcome::Failed }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| format!("{text:?} is not `Name: value`"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Cancelled by Ctrl-C or SIGTERM, so that calls end with BYE; a second Ctrl-C ends the process.
fn stop_on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
            return;
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        token.cancel();
        if tokio::signal::ctrl_c().await.is_ok() {
            #[expect(clippy::disallowed_methods, reason = "asked a second time: at once, whatever is under way")]
            std::process::exit(130);
        }
    });
    stop
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests;
