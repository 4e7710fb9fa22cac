//! `loadtest demo`: the conversation of `make demo`, shown as it happens, judged at the end.
//! The call itself is `talk`.

use std::path::PathBuf;

use clap::Args;

use super::{Dialling, Outcome, stop_on_signal, write_json};
use crate::caller::Manners;
use crate::node_events::NodeEvents;
use crate::report::{Live, TalkReport};
use crate::script::{self, Script};
use crate::talk::{self, Plan};

/// Hold a scripted conversation and show it as it happens; exit 0 only if all of it was understood
#[derive(Debug, Args)]
pub struct Demo {
    #[command(flatten)]
    dialling: Dialling,
    /// Node whose live events are followed; may be given again
    #[arg(long = "node", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    nodes: Vec<String>,
    /// Another conversation (TOML, see loadtest/scripts/demo.toml)
    #[arg(long)]
    script: Option<PathBuf>,
    /// flite voice for all lines, instead of the script's
    #[arg(long)]
    voice: Option<String>,
    /// Share of the lines that must be understood, 0 to 1
    #[arg(long, default_value_t = 1.0)]
    at_least: f64,
    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

// === impl Demo ===

impl Demo {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        let (script, name) = match &self.script {
            Some(path) => (Script::read(path)?, path.display().to_string()),
            None => (Script::parse(script::DEMO, "demo.toml")?, "demo.toml".to_owned()),
        };
        let lines = script.prepare(&name, self.voice.as_deref()).await?;
        let events = NodeEvents::subscribe(&self.nodes).await?;
        let phone = self.dialling.phone(1).await?;
        println!("calling {} as {}\n", self.dialling.target, self.dialling.from);
        let plan =
            Plan { script, lines, target: self.dialling.target(false), manners: Manners::default(), greeting: true };
        let live = Live::new();
        let report = talk::hold(&phone, plan, Some(events), move |event| live.event(event), stop_on_signal()).await?;
        phone.shutdown().await;
        if let Some(path) = &self.json {
            write_json(path, &report.json())?;
        }
        Ok(judge(&report, self.at_least))
    }
}

fn judge(report: &TalkReport, at_least: f64) -> Outcome {
    println!("\n{report}");
    let problems = report.problems();
    for problem in &problems {
        println!("not as expected: {problem}");
    }
    let understood = report.understood() as f64 / report.lines.len().max(1) as f64;
    // With less than everything asked for, single lines may be missed, but not the call itself.
    let passed =
        if at_least >= 1.0 { problems.is_empty() } else { understood >= at_least && report.line_problems().is_empty() };
    if passed {
        println!("all that was expected was understood");
        Outcome::Passed
    } else {
        Outcome::Failed
    }
}
