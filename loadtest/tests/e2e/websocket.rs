//! Calls over a node's WebSockets: heard, answered, cut in, ended from either side, and never left over.
//! The node is a process, its speech a stub; the conversation itself is tested in virtual time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod admission;
mod audiosocket;
mod conversation;
mod edge;
mod endings;
mod handed_over;
mod limits;
mod twilio;

use std::fs;
use std::path::Path;

use anyhow::Result;
use tempfile::TempDir;

use crate::node::{Node, Settings};
use crate::provider::Provider;

/// A node whose agent is `agent` (lines of its TOML file beside those every agent needs), and its speech.
pub struct Served {
    pub node: Node,
    _provider: Provider,
    /// Last, so that it outlives the processes that write into it.
    _dir: TempDir,
}

impl Served {
    pub async fn start(agent: &str, reply: &str, settings: Settings) -> Result<Self> {
        Self::by(&["--reply", reply], agent, settings).await
    }

    /// Answered for by a stub with these options.
    pub async fn by(model: &[&str], agent: &str, settings: Settings) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("tandem-ws").tempdir()?;
        let provider = Provider::start(dir.path(), model).await?;
        let mut all = provider.settings();
        all.push(("TANDEM_AGENT", write_agent(dir.path(), agent)?));
        all.push(("TANDEM_SHARDS", "1".to_owned()));
        all.extend(settings);
        let node = Node::start("node-ws", dir.path(), all).await?;
        Ok(Self { node, _provider: provider, _dir: dir })
    }
}

fn write_agent(dir: &Path, more: &str) -> Result<String> {
    let path = dir.join("agent.toml");
    // Slow machines are not asked whether they are still there.
    let patient = if more.contains("silence_after_ms") { "" } else { "silence_after_ms = 60000" };
    fs::write(&path, format!("name = \"test\"\ninstructions = \"Be brief.\"\n{patient}\n{more}\n"))?;
    Ok(path.display().to_string())
}
