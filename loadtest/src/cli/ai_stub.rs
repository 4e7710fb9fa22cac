//! `loadtest ai-stub`: an OpenAI-compatible provider, HTTP and Realtime, with fixed latencies and faults on demand.
//! The server is `ai_stub`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;

use super::{Outcome, stop_on_signal};
use crate::ai_stub::{self, Fault, Faults, Stage, Stub, StubCall};

/// Serve the OpenAI HTTP and Realtime APIs with known latencies, and with faults on demand
#[derive(Debug, Args)]
pub struct AiStub {
    #[arg(long, default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Time to a transcript, ms
    #[arg(long, default_value_t = 100)]
    stt_ms: u64,
    /// Time to the first token, ms
    #[arg(long, default_value_t = 100)]
    token_ms: u64,
    /// Time to the first byte of speech, ms
    #[arg(long, default_value_t = 100)]
    tts_ms: u64,
    /// What every transcription says
    #[arg(long, default_value = "what are your opening hours")]
    transcript: String,
    /// What every answer says; the default repeats the caller's words
    #[arg(long)]
    reply: Option<String>,
    /// The tool that the model calls at every line of the caller's, and then tells the result of
    #[arg(long)]
    tool: Option<String>,
    /// Its arguments, JSON
    #[arg(long, default_value = "{}", requires = "tool")]
    tool_arguments: String,
    /// What goes wrong
    #[arg(long, requires = "stage")]
    fault: Option<Fault>,
    /// Where it goes wrong
    #[arg(long, requires = "fault")]
    stage: Option<Stage>,
    /// Only every n-th request goes wrong
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), requires = "fault")]
    every: u64,
    /// How long `slow` takes
    #[arg(long, default_value = "30s", value_parser = super::duration)]
    slow: Duration,
}

// === impl AiStub ===

impl AiStub {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        let listener =
            TcpListener::bind(self.listen).await.with_context(|| format!("cannot listen on {}", self.listen))?;
        println!("AI stub on http://{}/v1", listener.local_addr()?);
        let faults = self.fault.zip(self.stage).map(|(fault, stage)| Faults::new(fault, stage, self.every, self.slow));
        let stub = Stub {
            transcription_after: Duration::from_millis(self.stt_ms),
            token_after: Duration::from_millis(self.token_ms),
            speech_after: Duration::from_millis(self.tts_ms),
            transcript: self.transcript,
            reply: self.reply,
            tool: self.tool.map(|name| StubCall { name, arguments: self.tool_arguments }),
            faults,
        };
        let stop = stop_on_signal();
        ai_stub::serve(listener, stub, stop.cancelled_owned()).await.context("the AI stub failed")?;
        Ok(Outcome::Passed)
    }
}
