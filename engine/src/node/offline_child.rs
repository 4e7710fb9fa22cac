//! The offline speech server as a child process: started, found ready, started again should it die.
//! A process of its own, so that C code that crashes takes no call with it and a decoder never delays a packet.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// What the child prints, followed by its address, once it serves.
pub const READY: &str = "offline speech ready on ";

/// What the child prints, followed by the reason, when it cannot serve.
pub const FAILED: &str = "offline speech failed: ";

/// How long the child may take to load its models.
const LOADING: Duration = Duration::from_secs(30);

/// Pause before a child that died is started again.
const RESTART: Duration = Duration::from_secs(1);

/// Lower than the media's priority: hearing may wait a little, packets may not.
const NICE: i32 = 15;

/// Why there is no offline speech.
#[derive(Debug, Error)]
pub enum OfflineChildError {
    #[error("cannot start the offline speech server: {0}")]
    Spawn(#[from] std::io::Error),
    #[error("{0}")]
    Failed(String),
    #[error("the offline speech server ended before it was ready")]
    Died,
    #[error("the offline speech server was not ready within {} s", LOADING.as_secs())]
    Slow,
}

/// A running child. Dropping it ends the process.
#[derive(Debug)]
pub struct OfflineChild {
    child: Child,
    addr: SocketAddr,
    agent: PathBuf,
}

// === impl OfflineChild ===

impl OfflineChild {
    /// Starts the server for `agent` and waits until it serves. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`OfflineChildError`], with the child's own words for what is missing on the machine.
    pub async fn start(agent: PathBuf, listen: SocketAddr) -> Result<Self, OfflineChildError> {
        let (child, addr) = spawn(&agent, listen).await?;
        Ok(Self { child, addr, agent })
    }

    /// Base URL of its API.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// Starts it again whenever it ends, at the same address. Runs until it is dropped.
    pub async fn keep_alive(mut self) {
        loop {
            let ended = self.child.wait().await;
            tracing::error!(?ended, "the offline speech server ended; starting it again");
            tokio::time::sleep(RESTART).await;
            match spawn(&self.agent, self.addr).await {
                Ok((child, _)) => self.child = child,
                Err(error) => tracing::error!(%error, "offline speech is away"),
            }
        }
    }
}

async fn spawn(agent: &PathBuf, listen: SocketAddr) -> Result<(Child, SocketAddr), OfflineChildError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("offline-speech").arg("--child").arg("--agent").arg(agent).arg("--listen").arg(listen.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    // SAFETY: between fork and exec only async-signal-safe system calls are made.
    unsafe {
        command.pre_exec(|| {
            libc::nice(NICE);
            // The child must not outlive a node that was killed.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let mut child = command.spawn()?;
    let Some(stdout) = child.stdout.take() else { return Err(OfflineChildError::Died) };
    let mut lines = BufReader::new(stdout).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await? {
            if let Some(addr) = line.strip_prefix(READY).and_then(|a| a.trim().parse().ok()) {
                return Ok(addr);
            }
            if let Some(reason) = line.strip_prefix(FAILED) {
                return Err(OfflineChildError::Failed(reason.to_owned()));
            }
        }
        Err(OfflineChildError::Died)
    };
    let addr = tokio::time::timeout(LOADING, ready).await.map_err(|_| OfflineChildError::Slow)??;
    // Whatever else it prints goes nowhere, but must not block it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((child, addr))
}
