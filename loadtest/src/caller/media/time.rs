//! The caller's media time: the kernel's packet timestamps and our own send times on one scale.
//! No sleeping and no ticking; that is `ticker`.

use std::time::{Duration, SystemTime};

use engine::clock::Moment;

/// Reads CLOCK_REALTIME, because that is the clock SO_TIMESTAMPNS stamps packets with.
/// [`Moment`]s count from the clock's start, so sent and received packets can be subtracted.
#[derive(Debug, Clone, Copy)]
pub struct KernelClock {
    start: Duration,
}

// === impl KernelClock ===

impl KernelClock {
    pub fn start() -> Self {
        Self { start: since_epoch() }
    }

    pub fn now(&self) -> Moment {
        self.at(since_epoch())
    }

    /// `stamp`: time since the Unix epoch, as the kernel wrote it beside a packet.
    pub fn at(&self, stamp: Duration) -> Moment {
        Moment(u64::try_from(stamp.saturating_sub(self.start).as_micros()).unwrap_or(u64::MAX))
    }
}

fn since_epoch() -> Duration {
    // A clock set before 1970 only makes latencies read zero.
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
