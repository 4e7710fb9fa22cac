//! What a shard tells about itself while it runs: plain counters that others read at any time.
//! Written by one thread without locks; turning them into metrics is the API's work.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the tick lateness buckets, microseconds; what is later falls into one more.
pub const LATENESS_BOUNDS_US: [u64; 9] = [250, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000];

/// Counters of one shard since its start.
#[derive(Debug, Default)]
pub struct ShardStats {
    /// Calls and reservations held now.
    pub calls: AtomicUsize,
    pub datagrams_received: AtomicU64,
    pub packets_sent: AtomicU64,
    /// Packets the kernel would not take.
    pub packets_refused: AtomicU64,
    /// Datagrams no call wanted.
    pub strays: AtomicU64,
    /// Slots processed, by how late they began: one count per bucket of [`LATENESS_BOUNDS_US`], then the rest.
    pub lateness: [AtomicU64; LATENESS_BOUNDS_US.len() + 1],
    pub lateness_sum_us: AtomicU64,
}

// === impl ShardStats ===

impl ShardStats {
    pub fn slot_began(&self, late: Duration) {
        let us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENESS_BOUNDS_US.partition_point(|&bound| bound < us);
        self.lateness[bucket].fetch_add(1, Relaxed);
        self.lateness_sum_us.fetch_add(us, Relaxed);
    }
}
