//! A speech provider for a node: `loadtest ai-stub` as a process on a port of its own, well or with a fault.
//! The faults themselves are the stub's.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::node::{Settings, binary};
use crate::ports::free_port;
use crate::process::{POLL, Process};

const READY_WITHIN: Duration = Duration::from_secs(10);

pub struct Provider {
    port: u16,
    process: Process,
}

impl Provider {
    /// Starts one with these options of `loadtest ai-stub`.
    pub async fn start(dir: &Path, options: &[&str]) -> Result<Self> {
        let port = free_port()?;
        Ok(Self { port, process: spawn(dir, port, options).await? })
    }

    /// Ends it, with its open connections, and starts it again in its place.
    pub async fn replace(&mut self, dir: &Path, options: &[&str]) -> Result<()> {
        self.process.kill()?;
        self.process = spawn(dir, self.port, options).await?;
        Ok(())
    }

    /// Ends it, with its open connections.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    pub fn settings(&self) -> Settings {
        at_port(self.port)
    }
}

/// Settings of a node whose provider is at this port.
pub fn at_port(port: u16) -> Settings {
    vec![("TANDEM_SPEECH__BASE_URL", format!("http://127.0.0.1:{port}/v1"))]
}

async fn spawn(dir: &Path, port: u16, options: &[&str]) -> Result<Process> {
    let mut command = Command::new(binary("loadtest", "LOADTEST_BIN")?);
    command.args(["ai-stub", "--listen", &format!("127.0.0.1:{port}")]).args(options);
    let process = Process::spawn(&format!("provider-{port}"), &mut command, dir)?;
    let deadline = Instant::now() + READY_WITHIN;
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        if Instant::now() > deadline {
            bail!("the provider does not listen:\n{}", process.output());
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(process)
}
