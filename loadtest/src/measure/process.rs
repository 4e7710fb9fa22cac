//! What a process of this machine has used so far: CPU time and resident memory, by the kernel's accounting (proc(5)).
//! What it did meanwhile is known to whoever asks.

use std::fs;
use std::io;
use std::time::Duration;

/// Ticks in a second of the times in `/proc/PID/stat` (USER_HZ, the same on every Linux).
const TICKS_A_SECOND: u64 = 100;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of all threads, user and kernel.
    pub cpu: Duration,
    pub resident_bytes: u64,
}

// === impl Usage ===

impl Usage {
    /// Errors: there is no such process, or it may not be looked at.
    pub fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        Self::read(&stat, &status).ok_or_else(|| io::Error::other(format!("cannot read /proc/{pid}/stat and status")))
    }

    fn read(stat: &str, status: &str) -> Option<Self> {
        // The name, in parentheses, may hold anything.
        let mut after_name = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        let user: u64 = after_name.next()?.parse().ok()?;
        let system: u64 = after_name.next()?.parse().ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = resident.trim().strip_suffix("kB")?.trim().parse().ok()?;
        let cpu = Duration::from_millis((user + system) * 1000 / TICKS_A_SECOND);
        Some(Self { cpu, resident_bytes: kib * 1024 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_memory_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 100 1000 200";
        let usage = Usage::read(stat, "Name:\tx\nVmRSS:\t    2048 kB\n").unwrap();
        assert_eq!(usage, Usage { cpu: Duration::from_secs(2), resident_bytes: 2 << 20 });
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(Usage::of(u32::MAX).is_err());
    }
}
