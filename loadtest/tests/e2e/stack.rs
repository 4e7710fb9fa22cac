//! Kamailio with this repository's configuration in front of nodes, all on free ports.
//! Who calls them, and what is then true, is up to the tests.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::node::{Node, Settings, root};
use crate::ports::free_port;
use crate::process::Process;
use crate::sip;

/// A running system. Dropping it ends all its processes and deletes its files.
pub struct Stack {
    pub nodes: Vec<Node>,
    /// Where calls are sent to: Kamailio's port, UDP and TCP.
    pub port: u16,
    _kamailio: Process,
    /// Last, so that it outlives the processes that write into it.
    pub dir: TempDir,
}

impl Stack {
    /// Starts `nodes` nodes and Kamailio; ready for calls on return.
    pub async fn start(nodes: usize) -> Result<Self> {
        Self::start_with(nodes, &Settings::new()).await
    }

    /// The same with more settings for every node.
    pub async fn start_with(nodes: usize, settings: &Settings) -> Result<Self> {
        Self::start_behind(nodes, settings, &[]).await
    }

    /// The same with more definitions for Kamailio's configuration, `NAME=value`.
    pub async fn start_behind(nodes: usize, settings: &Settings, front: &[String]) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("tandem-e2e").tempdir()?;
        let mut running = Vec::new();
        for number in 1..=nodes {
            running.push(Node::start(&format!("node-{number}"), dir.path(), settings.clone()).await?);
        }
        let addresses: Vec<String> = running.iter().map(|node| format!("127.0.0.1:{}", node.sip)).collect();
        let list = Command::new(root().join("deploy/kamailio/nodes.sh")).args(addresses).output()?;
        ensure!(list.status.success(), "nodes.sh: {}", String::from_utf8_lossy(&list.stderr));
        fs::write(dir.path().join("nodes.list"), list.stdout)?;

        let port = free_port()?;
        let mut command = kamailio(&dir, port);
        for definition in front {
            command.args(["-A", definition]);
        }
        let kamailio = Process::spawn("kamailio", &mut command, dir.path())?;
        sip::until_options_say(port, 200, Duration::from_secs(10)).await?;
        Ok(Self { nodes: running, port, _kamailio: kamailio, dir })
    }
}

fn kamailio(dir: &TempDir, port: u16) -> Command {
    let kamailio = root().join("deploy/kamailio");
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("kamailio");
    command
        .env("PATH", path)
        .args(["-DD", "-E", "-m", "128", "-f"])
        .arg(kamailio.join("kamailio.cfg"))
        .arg("-Y")
        .arg(dir.path())
        .args(["-A", &format!("LISTEN_UDP=udp:127.0.0.1:{port}")])
        .args(["-A", &format!("LISTEN_TCP=tcp:127.0.0.1:{port}")])
        .args(["-A", &format!("NODES_FILE=\"{}\"", dir.path().join("nodes.list").display())])
        .args(["-A", &format!("CARRIERS_FILE=\"{}\"", kamailio.join("carriers.list").display())]);
    command
}
