//! The engine's time: monotonic microseconds, handed in from outside.
//! Nothing here reads a clock but `Clock`, which only threads and binaries may hold.

use std::ops::{Add, Sub};
use std::time::{Duration, Instant};

/// A point in time: microseconds since the [`Clock`]'s start. Virtual in tests and simulations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// The one place where the operating system's monotonic clock is read.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

// === impl Moment ===

impl Moment {
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms * 1000)
    }

    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time passed since `earlier`; zero if `earlier` lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Whole milliseconds passed since `earlier`; zero if `earlier` lies ahead.
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1000
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Moment {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

// === impl Clock ===

impl Clock {
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The instant whose moment is 0.
    pub fn zero(&self) -> Instant {
        self.start
    }

    pub fn now(&self) -> Moment {
        Moment(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}
