//! A bad network for tests: loss, jitter, reordering, duplicates, stalls and clock drift, all from one seed.
//! It moves packets in virtual time only; what they hold is the test's business.

#![allow(dead_code, reason = "each test file uses its part of it")]

use engine::clock::Moment;

/// A packet on its way: when it arrives and which of the sender's packets it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    pub at: Moment,
    pub index: usize,
}

/// How losses follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pattern {
    /// Each packet for itself.
    #[default]
    Random,
    /// Runs of one to five packets, 20 to 100 ms, none more often than another: as long as the ear can be helped over.
    Bursts,
}

/// What the network does. Times in ms, shares from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    pub seed: u64,
    /// Fastest way through.
    pub delay_ms: f64,
    /// Added to each packet, evenly spread from nothing to this much.
    pub jitter_ms: f64,
    /// Share of the packets that never come.
    pub loss: f64,
    pub pattern: Pattern,
    /// Chance that a loss goes on to the next packet: bursts.
    pub burst: f64,
    pub duplicates: f64,
    /// The sender's clock is this much fast, parts per million.
    pub drift_ppm: f64,
    /// From this time on for this long nothing comes through; then all of it at once.
    pub stall_ms: Option<(f64, f64)>,
    /// Packets may overtake each other.
    pub reorders: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            seed: 1,
            delay_ms: 30.0,
            jitter_ms: 0.0,
            loss: 0.0,
            pattern: Pattern::Random,
            burst: 0.0,
            duplicates: 0.0,
            drift_ppm: 0.0,
            stall_ms: None,
            reorders: true,
        }
    }
}

impl Network {
    /// Sends one packet each `ptime_ms` of the sender's clock; what arrives, in order of arrival.
    pub fn carry(&self, packets: usize, ptime_ms: f64) -> Vec<Arrival> {
        let mut random = Random(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut arrivals = Vec::new();
        let (mut losing, mut latest) = (false, 0.0f64);
        let mut run = 0u32;
        for index in 0..packets {
            let sent = index as f64 * ptime_ms * (1.0 - self.drift_ppm / 1e6);
            losing = match self.pattern {
                Pattern::Random => random.share() < if losing { self.burst.max(self.loss) } else { self.loss },
                Pattern::Bursts => {
                    // A run is 3 packets long in the mean, and begins so often that the share comes out right. The
                    // packet after a run is heard, so that two runs do not make a longer one.
                    run = match run {
                        0 if random.share() < self.loss / (3.0 * (1.0 - self.loss)) => {
                            1 + (random.share() * 5.0) as u32
                        }
                        0 => 0,
                        run => run - 1,
                    };
                    run > 0
                }
            };
            let mut at = sent + self.delay_ms + random.share() * self.jitter_ms;
            if let Some((from, length)) = self.stall_ms
                && (from..from + length).contains(&at)
            {
                at = from + length;
            }
            if !self.reorders {
                at = at.max(latest);
                latest = at;
            }
            if losing {
                continue;
            }
            let moment = |ms: f64| Moment((ms * 1000.0) as u64);
            arrivals.push(Arrival { at: moment(at), index });
            if random.share() < self.duplicates {
                arrivals.push(Arrival { at: moment(at + 5.0), index });
            }
        }
        arrivals.sort_by_key(|arrival| (arrival.at, arrival.index));
        arrivals
    }
}

/// xorshift64*: small, fast, the same everywhere.
pub struct Random(pub u64);

impl Random {
    /// From 0 up to, not including, 1.
    pub fn share(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}
