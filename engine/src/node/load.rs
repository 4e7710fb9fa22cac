//! How busy this process is: late media slots and CPU since the last look, and memory now.
//! What follows from it is decided by whoever asks: `admission` here, routing at the edge.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Where the kernel tells a process of itself.
const PROC_STATUS: &str = "/proc/self/status";

/// Load between two looks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Share of slots that began late, 0 to 1.
    pub late_slots: f32,
    /// CPU used, cores.
    pub cpu_cores: f32,
}

/// Remembers the last look.
#[derive(Debug)]
pub struct LoadMeter {
    last: Mutex<Look>,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    cpu: Duration,
    slots: u64,
    late: u64,
}

// === impl LoadMeter ===

impl LoadMeter {
    pub fn new(now: Instant) -> Self {
        Self { last: Mutex::new(Look { at: now, cpu: cpu_time(), slots: 0, late: 0 }) }
    }

    /// The load since the last look, given all slots so far and the late ones among them.
    pub fn measure(&self, now: Instant, slots: (u64, u64)) -> Load {
        self.since_last(Look { at: now, cpu: cpu_time(), slots: slots.0, late: slots.1 })
    }

    fn since_last(&self, look: Look) -> Load {
        let last = std::mem::replace(&mut *self.last.lock().unwrap_or_else(PoisonError::into_inner), look);
        let elapsed = look.at.saturating_duration_since(last.at).as_secs_f32();
        let slots = look.slots.saturating_sub(last.slots);
        let late = look.late.saturating_sub(last.late);
        let cpu = look.cpu.saturating_sub(last.cpu).as_secs_f32();
        Load {
            late_slots: if slots == 0 { 0.0 } else { late as f32 / slots as f32 },
            cpu_cores: if elapsed > 0.0 { cpu / elapsed } else { 0.0 },
        }
    }
}

/// Resident memory of the process, bytes; 0 where the kernel does not tell.
pub fn memory_bytes() -> u64 {
    std::fs::read_to_string(PROC_STATUS).ok().and_then(|status| resident(&status)).unwrap_or_default()
}

/// `VmRSS:   12345 kB` (proc_pid_status(5)).
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// CPU time of all threads so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests;
