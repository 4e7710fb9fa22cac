//! `loadtest ask`: one call, a few questions, what was heard. The tool of the end-to-end tests.
//! The call itself is `talk`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;

use super::{Dialling, Outcome, duration, judged, stop_on_signal, write_json};
use crate::caller::Manners;
use crate::node_events::NodeEvents;
use crate::report::{Live, TalkReport};
use crate::script::{Line, Phrase, Script};
use crate::talk::{self, Plan};
use crate::wav;

/// Ask one question or several in one call, and tell what was heard; exit 0 if all were answered
#[derive(Debug, Args)]
pub struct Ask {
    #[command(flatten)]
    dialling: Dialling,
    /// Something to say; may be given again
    #[arg(long)]
    say: Vec<String>,
    /// A WAV file to play, after what is said; may be given again
    #[arg(long, value_name = "FILE")]
    wav: Vec<PathBuf>,
    /// flite voice
    #[arg(long, default_value = "rms")]
    voice: String,
    /// Words the node's transcript of question N must contain (`a|b`: one of them), in order; needs --node
    #[arg(long, value_name = "WORDS")]
    expect_transcript: Vec<String>,
    /// Words the agent's reply to question N must contain, in order; needs --node
    #[arg(long, value_name = "WORDS")]
    expect_reply: Vec<String>,
    /// Node whose live events are shown and judged; may be given again
    #[arg(long = "node", value_name = "URL")]
    nodes: Vec<String>,
    /// Begin at once instead of after the agent's greeting
    #[arg(long)]
    no_greeting: bool,
    /// How long to wait for an answer
    #[arg(long, default_value = "10s", value_parser = duration)]
    answer_within: Duration,
    /// Write all that was heard (8 kHz, in RTP time)
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

// === impl Ask ===

impl Ask {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        let expects = !self.expect_transcript.is_empty() || !self.expect_reply.is_empty();
        ensure!(!expects || !self.nodes.is_empty(), "--expect-… needs --node: it is judged by the node's events");
        let script = self.script();
        let lines = script.prepare("command line", None).await?;
        let events = match self.nodes.as_slice() {
            [] => None,
            nodes => Some(NodeEvents::subscribe(nodes).await?),
        };
        let phone = self.dialling.phone(1).await?;
        let manners = Manners { answer_within: self.answer_within, ..Manners::default() };
        let plan = Plan { script, lines, target: self.dialling.target(true), manners, greeting: !self.no_greeting };
        let live = Live::new();
        let report = talk::hold(&phone, plan, events, move |event| live.event(event), stop_on_signal()).await?;
        phone.shutdown().await;
        if let Some(path) = &self.save {
            wav::write(path, &report.media.heard)?;
        }
        if let Some(path) = &self.json {
            write_json(path, &report.json())?;
        }
        Ok(judge(&report, expects))
    }

    fn script(&self) -> Script {
        let mut lines: Vec<Line> = self.say.iter().map(|text| Line::saying(text)).collect();
        lines.extend(self.wav.iter().map(|path| Line::playing(path)));
        for (line, words) in lines.iter_mut().zip(&self.expect_transcript) {
            line.expect_transcript.push(Phrase::from(words.clone()));
        }
        for (line, words) in lines.iter_mut().zip(&self.expect_reply) {
            line.expect_reply.push(Phrase::from(words.clone()));
        }
        Script { voice: self.voice.clone(), expect_greeting: Vec::new(), lines }
    }
}

fn judge(report: &TalkReport, expects: bool) -> Outcome {
    for (line, heard) in report.lines.iter().zip(&report.heard) {
        match (heard.answered, heard.latency_ms) {
            (true, Some(ms)) => println!("{line:?}: answered after {ms:.0} ms"),
            (true, None) => println!("{line:?}: the agent was speaking already"),
            (false, _) => println!("{line:?}: not answered"),
        }
    }
    println!("\n{report}");
    let mut problems = if expects { report.problems() } else { report.line_problems() };
    let unanswered = report.heard.iter().filter(|heard| !heard.answered).count();
    if unanswered > 0 {
        problems.push(format!("{unanswered} of {} questions were not answered", report.lines.len()));
    }
    judged(&problems, false)
}
