//! SIPp as the caller: one of its scenarios, so many calls at such a rate, and how many went well.
//! The scenarios are SIPp's own; ours are files beside this one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::ports::free_port;
use crate::process::Process;

/// Where Debian's sip-tester keeps the captures that `uac_pcap` plays.
const CAPTURES: &str = "/usr/share/sip-tester";

/// First RTP port SIPp claims to send from. It gives each call another one, 4 apart, and binds none of them.
const MEDIA_PORT: &str = "10000";

/// SIPp's arguments for a scenario built into it.
pub const UAC: &[&str] = &["-sn", "uac"];
/// As [`UAC`], each call three seconds long.
pub const UAC_3_S: &[&str] = &["-sn", "uac", "-d", "3000"];
/// As [`UAC`], with speech and DTMF from captures; needs the right to open raw sockets.
pub const UAC_PCAP: &[&str] = &["-sn", "uac_pcap"];

/// May this process do what [`UAC_PCAP`] needs? Root may, others need CAP_NET_RAW.
pub fn may_play_captures() -> bool {
    use socket2::{Domain, Protocol, Socket, Type};
    Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)).is_ok()
}

/// Calls by SIPp, under way.
pub struct Sipp {
    process: Process,
    statistics: PathBuf,
    errors: PathBuf,
}

/// How SIPp's calls ended.
#[derive(Debug)]
pub struct Tally {
    pub successful: u64,
    pub failed: u64,
    /// The first messages SIPp did not expect.
    pub errors: String,
}

impl Sipp {
    /// Starts `calls` calls to `127.0.0.1:<port>`, `rate` of them a second. Files go to `<dir>/<name>*`.
    pub fn start(name: &str, dir: &Path, scenario: &[&str], port: u16, calls: u32, rate: u32) -> Result<Self> {
        let captures = dir.join("pcap");
        if !captures.exists() {
            symlink(CAPTURES, &captures)?;
        }
        let (statistics, errors) = (dir.join(format!("{name}.csv")), dir.join(format!("{name}.errors")));
        let mut command = Command::new("sipp");
        command
            .current_dir(dir)
            .arg(format!("127.0.0.1:{port}"))
            .args(scenario)
            .args(["-i", "127.0.0.1", "-p", &free_port()?.to_string(), "-mp", MEDIA_PORT])
            .args(["-m", &calls.to_string(), "-r", &rate.to_string(), "-l", &calls.to_string()])
            .args(["-nostdin", "-timeout", "120s", "-timeout_error", "-recv_timeout", "32000"])
            .args(["-trace_stat", "-fd", "1", "-stf"])
            .arg(&statistics)
            .args(["-trace_err", "-error_file"])
            .arg(&errors);
        Ok(Self { process: Process::spawn(name, &mut command, dir)?, statistics, errors })
    }

    /// Waits for the last call's end.
    pub async fn finished(mut self) -> Result<Tally> {
        self.process.ended(Duration::from_secs(150)).await?;
        let table = fs::read_to_string(&self.statistics).context("SIPp's statistics")?;
        let mut lines = table.lines();
        let names: Vec<&str> = lines.next().context("no header in SIPp's statistics")?.split(';').collect();
        let totals: Vec<&str> = lines.last().context("no line in SIPp's statistics")?.split(';').collect();
        let total = |name: &str| -> Result<u64> {
            let column = names.iter().position(|its| *its == name).context("SIPp's statistics lack a column")?;
            Ok(totals.get(column).context("a short line in SIPp's statistics")?.parse()?)
        };
        let errors = fs::read_to_string(&self.errors).unwrap_or_default();
        Ok(Tally {
            successful: total("SuccessfulCall(C)")?,
            failed: total("FailedCall(C)")?,
            errors: errors.lines().take(40).collect::<Vec<_>>().join("\n"),
        })
    }
}

/// Starts the calls and waits for the last one's end.
pub async fn calls(name: &str, dir: &Path, scenario: &[&str], port: u16, calls: u32, rate: u32) -> Result<Tally> {
    Sipp::start(name, dir, scenario, port, calls, rate)?.finished().await
}
