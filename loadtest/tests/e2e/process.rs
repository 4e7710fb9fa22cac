//! One child process of a test: its output is a file, its end is certain, and a failing test shows its last lines.
//! What is started, and with which arguments, is decided by whoever starts it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Lines of output, and as many of warnings, shown when the test fails.
const LAST_LINES: usize = 25;

/// How often a state of the outside world is looked at while waiting for it.
pub const POLL: Duration = Duration::from_millis(20);

/// A running child process. It stays in the test's process group, so that a test runner that ends a hanging
/// test ends this too. Dropping it kills it and everything it has started.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output in `<dir>/<name>.log`, and nothing on its standard input.
    pub fn spawn(name: &str, command: &mut Command, dir: &Path) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).context(format!("{}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {name}: {command:?}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Sends a signal by name, such as `TERM`.
    pub fn signal(&self, signal: &str) -> Result<()> {
        send_signal(signal, &[self.child.id()])
    }

    /// `kill -9`, and waits for the kernel to have taken the process apart: its ports are free again.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ids of the processes it has started, and they have started, that still run.
    pub fn children(&self) -> Vec<u32> {
        descendants(self.child.id())
    }

    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for the process to end by itself.
    pub async fn ended(&mut self, within: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("{} still runs after {within:?}", self.name);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Everything the process has written so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // The parent first, so that it does not remark on the loss of its children.
            let mut pids = vec![self.child.id()];
            pids.extend(descendants(self.child.id()));
            let _ = send_signal("KILL", &pids);
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let output = self.output();
            let (told, chatter): (Vec<&str>, Vec<&str>) = output.lines().partition(|line| is_warning(line));
            for (what, lines) in [("last lines", chatter), ("last warnings", told)] {
                eprintln!("--- {what} of {} ---", self.name);
                for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
                    eprintln!("{line}");
                }
            }
        }
    }
}

/// Is a line of a node's or of Kamailio's log above the daily noise?
fn is_warning(line: &str) -> bool {
    ["\"WARN\"", "\"ERROR\"", " WARNING: ", " ERROR: ", " CRITICAL: "].iter().any(|level| line.contains(level))
}

pub fn send_signal(signal: &str, pids: &[u32]) -> Result<()> {
    let pids = pids.iter().map(u32::to_string);
    let status = Command::new("kill").arg(format!("-{signal}")).args(pids).stderr(Stdio::null()).status()?;
    if !status.success() {
        bail!("kill -{signal}: {status}");
    }
    Ok(())
}

/// Ids of all processes that `pid` has started, directly or not, and that still run.
fn descendants(pid: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // proc(5): `pid (name) state ppid …`, and the name may hold spaces and brackets.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parents.push((child, parent.unwrap_or(0)));
    }
    let mut family = vec![pid];
    let mut seen = 0;
    while seen < family.len() {
        let parent = family[seen];
        family.extend(parents.iter().filter(|(_, its)| *its == parent).map(|(child, _)| *child));
        seen += 1;
    }
    family.split_off(1)
}
