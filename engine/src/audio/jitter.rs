//! How deep the jitter buffer should be: follows how long packets take compared to the fastest ones.
//! All times are in samples of 8 kHz (8 are 1 ms). Holding and playing audio is `playout`'s work.

/// Shallowest and deepest target: 20 and 200 ms.
pub const MIN_TARGET: i64 = 160;
pub const MAX_TARGET: i64 = 1600;

/// The floor is the fastest packet of the last five buckets: 8 to 10 s. Clock drift moves it by 2 ms at 200 ppm.
const FLOOR_BUCKETS: usize = 5;
const BUCKET_SAMPLES: i64 = 16_000;
/// Histogram of delays over the floor, 5 ms a bin, the last one for all that is over 235 ms.
const BINS: usize = 48;
const BIN_SAMPLES: i64 = 40;
/// Share of packets that the target must cover.
const COVERED: f32 = 0.97;
/// Weight of a new packet in the histogram once it has learned: 200 packets, 4 s at 20 ms.
const SLOWEST_WEIGHT: f32 = 1.0 / 200.0;
/// The target comes down by this much a packet: 25 ms a second at 20 ms.
const DOWN_PER_PACKET: i64 = 4;
/// Packets that come within 5 ms of each other waited for the same obstacle: only the first counts.
const BUNCH: i64 = 40;
/// Late packets within 400 ms are one event; two events within 4 s are no accident.
const LATE_EVENT: i64 = 3200;
const LATE_PAIR: i64 = 32_000;

/// Watches arrivals and names the delay that packets should get over the fastest of them.
#[derive(Debug, Clone)]
pub struct DelayTarget {
    /// Lowest transit (arrival minus position) of each bucket, newest first; `None` where nothing came.
    lowest: [Option<i64>; FLOOR_BUCKETS],
    bucket_start: i64,
    floor: i64,
    last_transit: Option<i64>,
    /// RFC 3550 section 6.4.1, in 1/16 of a sample.
    jitter_x16: i64,
    shares: [f32; BINS],
    packets: u32,
    last_arrival: i64,
    last_late: Option<i64>,
    target: i64,
}

impl DelayTarget {
    pub fn new() -> Self {
        Self {
            lowest: [None; FLOOR_BUCKETS],
            bucket_start: 0,
            floor: 0,
            last_transit: None,
            jitter_x16: 0,
            shares: [0.0; BINS],
            packets: 0,
            last_arrival: 0,
            last_late: None,
            target: MIN_TARGET,
        }
    }

    /// Transit of the fastest packets: a packet at position p comes at `p + floor` or later.
    pub fn floor(&self) -> i64 {
        self.floor
    }

    /// Delay over the floor at which packets should be played.
    pub fn target(&self) -> i64 {
        self.target
    }

    /// How much slower than the fastest this packet was. Negative: faster than all before.
    pub fn excess(&self, arrival: i64, position: i64) -> i64 {
        if self.packets == 0 { 0 } else { arrival - position - self.floor }
    }

    /// Learns from a packet.
    pub fn observe(&mut self, arrival: i64, position: i64) {
        let transit = arrival - position;
        self.follow_floor(arrival, transit);
        if let Some(last) = self.last_transit.replace(transit) {
            self.jitter_x16 += (transit - last).abs() - ((self.jitter_x16 + 8) >> 4);
        }
        let bunched = self.packets > 0 && arrival - self.last_arrival < BUNCH;
        self.last_arrival = arrival;
        self.packets = self.packets.saturating_add(1);
        if !bunched {
            self.count(transit - self.floor);
        }
        let wanted = self.covering().max(self.jitter_x16 >> 3).clamp(MIN_TARGET, MAX_TARGET);
        self.target = wanted.max(self.target - DOWN_PER_PACKET);
    }

    /// A packet missed its moment by being `excess` slower than the fastest.
    pub fn observe_late(&mut self, arrival: i64, excess: i64) {
        let since = self.last_late.replace(arrival).map_or(i64::MAX, |last| arrival - last);
        if (LATE_EVENT..LATE_PAIR).contains(&since) {
            self.target = self.target.max(excess.min(MAX_TARGET));
        }
    }

    fn count(&mut self, excess: i64) {
        // The first packets weigh more, so that a bad network is known within half a second.
        let weight = SLOWEST_WEIGHT.max(1.0 / (self.packets as f32 + 9.0));
        for share in &mut self.shares {
            *share *= 1.0 - weight;
        }
        let bin = (excess / BIN_SAMPLES).clamp(0, BINS as i64 - 1) as usize;
        self.shares[bin] += weight;
    }

    fn follow_floor(&mut self, arrival: i64, transit: i64) {
        if self.packets == 0 {
            self.bucket_start = arrival;
        }
        if arrival - self.bucket_start >= BUCKET_SAMPLES {
            self.lowest.rotate_right(1);
            self.lowest[0] = None;
            self.bucket_start = arrival;
        }
        let newest = &mut self.lowest[0];
        *newest = Some(newest.map_or(transit, |lowest| lowest.min(transit)));
        self.floor = self.lowest.iter().flatten().copied().min().unwrap_or(transit);
    }

    /// Upper end of the bin up to which the covered share of packets came.
    fn covering(&self) -> i64 {
        let total: f32 = self.shares.iter().sum();
        let mut sum = 0.0;
        for (share, upper) in self.shares.iter().zip(1..) {
            sum += share;
            if sum >= total * COVERED {
                return upper * BIN_SAMPLES;
            }
        }
        MAX_TARGET
    }
}
