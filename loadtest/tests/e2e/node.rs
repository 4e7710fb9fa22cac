//! One Tandem node as a process: started, asked for its health and its recordings, drained or killed.
//! What the node says about calls is read in `events`.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::events::Events;
use crate::ports::{free_port, free_rtp_ports, give_back, udp_ports_in_use};
use crate::process::{POLL, Process};

/// The offline speech server loads its voices and decoders before the node is healthy.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Settings beside the ones every node of a test has: environment variables and their values.
pub type Settings = Vec<(&'static str, String)>;

pub struct Node {
    pub name: String,
    /// SIP port, UDP and TCP.
    pub sip: u16,
    /// HTTP port.
    pub http: u16,
    rtp: RangeInclusive<u16>,
    dir: PathBuf,
    settings: Settings,
    pub process: Process,
}

impl Node {
    /// Starts a node with its data in `<dir>/<name>` and waits until it is healthy.
    pub async fn start(name: &str, dir: &Path, settings: Settings) -> Result<Self> {
        Self::start_as(name, dir, settings, |command| command).await
    }

    /// The same, and the node's standard error is `log`.
    pub async fn start_logging_to(name: &str, dir: &Path, log: &Path) -> Result<Self> {
        Self::start_as(name, dir, Settings::new(), |command| logging_to(log, &command)).await
    }

    async fn start_as(
        name: &str,
        dir: &Path,
        settings: Settings,
        changed: impl FnOnce(Command) -> Command,
    ) -> Result<Self> {
        let (sip, http, rtp) = (free_port()?, free_port()?, free_rtp_ports()?);
        let mut command = changed(command(name, dir, sip, http, &rtp));
        let process = Process::spawn(name, command.envs(settings.clone()), dir)?;
        let mut node = Self { name: name.to_owned(), sip, http, rtp, dir: dir.to_owned(), settings, process };
        node.healthy().await?;
        Ok(node)
    }

    /// Starts the node again, on the same ports and data, after its process has ended.
    pub async fn restart(&mut self) -> Result<()> {
        let mut command = command(&self.name, &self.dir, self.sip, self.http, &self.rtp);
        self.process = Process::spawn(&self.name, command.envs(self.settings.clone()), &self.dir)?;
        self.healthy().await
    }

    /// Facts about calls from now on.
    pub async fn events(&self) -> Result<Events> {
        Events::of(self.http).await
    }

    /// The WAV files of the node's data directory.
    pub fn recordings(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut directories = vec![self.data()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|extension| extension == "wav") {
                    found.push(path);
                }
            }
        }
        found
    }

    /// The node's data directory.
    pub fn data(&self) -> PathBuf {
        self.dir.join(&self.name)
    }

    /// UDP ports of the node's RTP range that are open now: those of its calls.
    pub fn open_rtp_ports(&self) -> Result<Vec<u16>> {
        Ok(udp_ports_in_use()?.into_iter().filter(|port| self.rtp.contains(port)).collect())
    }

    /// Waits until the node holds no call.
    pub async fn until_idle(&self, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            let active = self.metric("tandem_calls_active").await?;
            if active == 0.0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} still has {active} calls after {within:?}", self.name);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the lines its edge admitted are on disk.
    pub async fn until_known_lines_are_saved(&self, within: Duration) -> Result<()> {
        let file = self.dir.join(&self.name).join("edge").join("known.json");
        let deadline = Instant::now() + within;
        while !file.exists() {
            if Instant::now() > deadline {
                bail!("no {} after {within:?}", file.display());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Calls that were answered and are over, by the node's own count.
    pub async fn calls_ended(&self) -> Result<f64> {
        self.metric("tandem_calls_total").await
    }

    /// The sum over all labels of a metric; 0 while the node has not told it.
    async fn metric(&self, name: &str) -> Result<f64> {
        let url = format!("http://127.0.0.1:{}/metrics", self.http);
        let text = client()?.get(url).send().await?.error_for_status()?.text().await?;
        let value = |line: &str| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '{']))?;
            rest.rsplit_once(' ')?.1.parse::<f64>().ok()
        };
        Ok(text.lines().filter_map(value).sum())
    }

    async fn healthy(&mut self) -> Result<()> {
        let url = format!("http://127.0.0.1:{}/health", self.http);
        let client = client()?;
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if self.process.has_ended()? {
                bail!("{} ended at once:\n{}", self.name, self.process.output());
            }
            if Instant::now() > deadline {
                bail!("{} is not healthy after {READY_WITHIN:?}:\n{}", self.name, self.process.output());
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        give_back(&self.rtp);
    }
}

fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?)
}

fn command(name: &str, dir: &Path, sip: u16, http: u16, rtp: &RangeInclusive<u16>) -> Command {
    let mut command = tandem();
    command
        .args(["run", "--node-name", name])
        .args(["--sip", &format!("127.0.0.1:{sip}")])
        .args(["--http", &format!("127.0.0.1:{http}")])
        .args(["--rtp-ports", &format!("{}-{}", rtp.start(), rtp.end())])
        .arg("--data")
        .arg(dir.join(name));
    command
}

/// The same command by way of a shell that makes `log` its standard error, open both ways: a pipe nobody reads stays one.
fn logging_to(log: &Path, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" \"$@\" 2<> \"$LOG\""]).arg(command.get_program()).args(command.get_args());
    shell.current_dir(root());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    // More is logged than any pipe holds.
    shell.env("LOG", log).env("TANDEM_LOG", "trace");
    shell
}

/// The `tandem` binary, to be run in the repository's root with none of the developer's settings.
pub fn tandem() -> Command {
    let mut command = Command::new(binary("tandem", "TANDEM_BIN").expect("the tandem binary"));
    command.current_dir(root());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TANDEM_") || name.starts_with("OPENAI_")) {
        command.env_remove(name);
    }
    command
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A binary of this workspace: the one the variable names, else the release build, else the debug build. Calls
/// by the hundred need the release build's speed; `make test` builds it first.
pub fn binary(name: &str, variable: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    // <target>/<profile>/deps/<this test>
    let test = std::env::current_exe()?;
    let target = test.ancestors().nth(3).context("the test is not in a target directory")?;
    ["release", "debug"]
        .map(|profile| target.join(profile).join(name))
        .into_iter()
        .find(|path| path.exists())
        .with_context(|| format!("no {name} in {}: run `make build`, or set {variable}", target.display()))
}
