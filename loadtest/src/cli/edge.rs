//! `loadtest edge`: thousands of sessions on the Worker.
//! Running them is `sessions`.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::echo_node::ECHO_NODE;
use super::{Outcome, duration, judged, progress_bar, rate, stop_on_signal, write_json};
use crate::sessions::{self, Plan, Tally};

/// How long it may take to be linked.
const LINKED_WITHIN: Duration = Duration::from_secs(15);

/// Hold many sessions on the Worker at once; exit 0 if no client noticed, 3 if we were too slow to tell
#[derive(Debug, Args)]
pub struct Edge {
    /// The edge
    #[arg(long, default_value = "http://127.0.0.1:8787")]
    url: String,
    /// A person's session token, or an API key, of an account that may have so many calls
    #[arg(long, env = "TANDEM_TOKEN", hide_env_values = true)]
    token: String,
    /// Answer the sessions ourselves, with a stand-in node linked with this secret, instead of by real nodes
    #[arg(long, env = "TANDEM_EDGE__SECRET", hide_env_values = true)]
    echo: Option<String>,
    /// Number to dial; chooses the agent
    #[arg(long)]
    number: Option<String>,
    /// Sessions in all
    #[arg(long, default_value_t = 1000)]
    sessions: usize,
    /// New sessions a second
    #[arg(long, default_value_t = 20.0, value_parser = rate)]
    rate: f64,
    /// How long each is held
    #[arg(long, default_value = "60s", value_parser = duration)]
    hold: Duration,
    /// From one 20 ms of audio to the next
    #[arg(long, default_value = "5s", value_parser = duration)]
    every: Duration,
    /// How long to wait for a session to begin, and to end
    #[arg(long, default_value = "10s", value_parser = duration)]
    patience: Duration,
    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

// === impl Edge ===

impl Edge {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        ensure!(!self.every.is_zero(), "--every must be longer than nothing");
        let edge = self.url.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder().timeout(self.patience).build()?;
        // In a process of its own: it has as many sockets as we have.
        let _node = match &self.echo {
            Some(secret) => Some(self.echo_node(&http, &edge, secret).await?),
            None => None,
        };
        let plan = Plan {
            http,
            edge,
            token: self.token.clone(),
            number: self.number.clone(),
            sessions: self.sessions,
            rate: self.rate,
            hold: self.hold,
            say_every: self.every,
            patience: self.patience,
        };
        let (tally, stop) = (Arc::new(Tally::default()), stop_on_signal());
        let bar = progress_bar(self.sessions as u64, "{pos}/{len} opened, {msg}");
        let run = sessions::run(plan, tally.clone(), stop);
        tokio::pin!(run);
        let report = loop {
            tokio::select! {
                report = &mut run => break report,
                () = sleep(Duration::from_millis(500)) => {
                    bar.set_position(tally.opened.load(Ordering::Relaxed) as u64);
                    bar.set_message(format!("{} up", tally.up.load(Ordering::Relaxed)));
                }
            }
        };
        bar.finish_and_clear();
        print!("{report}");
        if let Some(path) = &self.json {
            write_json(path, &report)?;
        }
        if report.fell_behind() {
            println!("we fell behind: {} of {} frames were said late", report.said_late, report.said);
            return Ok(Outcome::GeneratorTooSlow);
        }
        Ok(judged(&report.problems(), report.interrupted))
    }

    async fn echo_node(&self, http: &reqwest::Client, edge: &str, secret: &str) -> anyhow::Result<Child> {
        let program = std::env::current_exe().context("where this program is")?;
        let child = Command::new(program)
            .args(["echo-node", "--url", edge, "--max-calls", &self.sessions.to_string()])
            .env("TANDEM_EDGE__SECRET", secret)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the stand-in node")?;
        let deadline = Instant::now() + LINKED_WITHIN;
        loop {
            let answer = http.get(format!("{edge}/v1/nodes")).bearer_auth(&self.token).send().await?;
            let nodes: Value = answer.error_for_status().context("--token")?.json().await?;
            let linked = |node: &Value| node["node"] == ECHO_NODE && node["linked"] == true;
            if nodes["nodes"].as_array().is_some_and(|nodes| nodes.iter().any(linked)) {
                return Ok(child);
            }
            ensure!(
                Instant::now() < deadline,
                "the stand-in node is not linked to {edge}: is --echo the engines' secret?"
            );
            sleep(Duration::from_millis(200)).await;
        }
    }
}
