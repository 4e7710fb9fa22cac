//! What we received, as RFC 3550 counts it (appendix A.1, A.3, A.8), and the round trip from the peer's reports.
//! The packets that carry these numbers are in `rtcp`.

use super::rtcp::{ReportBlock, SenderInfo};
use crate::clock::Moment;
use std::time::Duration;

/// Sequence numbers this far ahead are loss; further is a restart (RFC 3550 appendix A.1).
const MAX_DROPOUT: u16 = 3000;
/// Sequence numbers this far behind are reordering; further is a restart.
const MAX_MISORDER: u16 = 100;

/// Statistics over one received stream; make a new one for a new SSRC.
#[derive(Debug, Clone)]
pub struct ReceptionStats {
    clock_rate_hz: u32,
    started: bool,
    base_sequence: u32,
    /// With its count of wraps in the upper half.
    highest: u32,
    /// A jump's next expected sequence: two in a row make it a restart.
    bad_next: Option<u16>,
    /// Since the sequence last started anew.
    received: u64,
    received_before: u64,
    expected_before: u64,
    /// Both counted before the last restart of the sender's sequence.
    lost_earlier: i64,
    received_earlier: u64,
    /// Bit n: `highest - n` came, or was before the first.
    came: u64,
    /// Runs of lost packets further back than `came` reaches, and whether the last packet of those was lost.
    runs: u64,
    in_run: bool,
    last_transit: Option<u32>,
    /// In 1/16 of a clock unit.
    jitter_x16: u32,
    sender_report: Option<(u32, Moment)>,
}

impl ReceptionStats {
    pub fn new(clock_rate_hz: u32) -> Self {
        Self {
            clock_rate_hz,
            started: false,
            base_sequence: 0,
            highest: 0,
            bad_next: None,
            received: 0,
            received_before: 0,
            expected_before: 0,
            lost_earlier: 0,
            received_earlier: 0,
            came: u64::MAX,
            runs: 0,
            in_run: false,
            last_transit: None,
            jitter_x16: 0,
            sender_report: None,
        }
    }

    /// Counts a packet of the stream (also late and repeated ones).
    pub fn on_packet(&mut self, arrival: Moment, sequence: u16, timestamp: u32) {
        if !self.started {
            self.started = true;
            self.base_sequence = u32::from(sequence);
            self.highest = u32::from(sequence);
        } else {
            self.follow(sequence);
        }
        self.received += 1;
        let arrival = (u128::from(arrival.as_micros()) * u128::from(self.clock_rate_hz) / 1_000_000) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(last) = self.last_transit.replace(transit) {
            let difference = (transit.wrapping_sub(last) as i32).unsigned_abs();
            // A pause or jump in the sender's clock is no jitter: leave out what is over a second.
            if difference < self.clock_rate_hz {
                self.jitter_x16 = self.jitter_x16 + difference - ((self.jitter_x16 + 8) >> 4);
            }
        }
    }

    fn follow(&mut self, sequence: u16) {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < MAX_DROPOUT {
            self.move_window(u32::from(ahead));
            self.highest = self.highest.wrapping_add(u32::from(ahead));
            self.bad_next = None;
        } else if ahead <= 0xFFFF - MAX_MISORDER {
            if self.bad_next == Some(sequence) {
                // The sender began again: this packet and the one before it belong to the new run.
                self.lost_earlier += self.expected_now() as i64 - (self.received as i64 - 1);
                self.received_earlier += self.received - 1;
                self.received = 1;
                self.received_before = 0;
                self.expected_before = 0;
                self.base_sequence = u32::from(sequence.wrapping_sub(1));
                self.highest = self.base_sequence.wrapping_add(1);
                self.bad_next = None;
                self.runs = self.loss_runs();
                (self.came, self.in_run) = (u64::MAX, false);
            } else {
                self.bad_next = Some(sequence.wrapping_add(1));
            }
        } else {
            // Late: beyond the 64 remembered it stays a part of its run.
            self.came |= 1u64.checked_shl(u32::from(ahead.wrapping_neg())).unwrap_or(0);
        }
    }

    /// The newest packet is `ahead` numbers after the newest before: what leaves the window is settled.
    fn move_window(&mut self, ahead: u32) {
        if ahead == 0 {
            return;
        }
        let out = ahead.min(64);
        let leaving = self.came >> (64 - out);
        let lost = !leaving & (u64::MAX >> (64 - out));
        self.runs += u64::from(begun(lost, out, self.in_run));
        self.in_run = lost & 1 != 0;
        if ahead > 64 {
            self.runs += u64::from(!self.in_run);
            self.in_run = true;
        }
        self.came = self.came.checked_shl(ahead).unwrap_or(0) | 1;
    }

    /// Remembers the peer's sender report, so that our next report block can answer it.
    pub fn on_sender_report(&mut self, arrival: Moment, info: &SenderInfo) {
        self.sender_report = Some(((info.ntp >> 16) as u32, arrival));
    }

    /// The block for our next report; loss is counted from one call to the next.
    pub fn report(&mut self, now: Moment, ssrc: u32) -> ReportBlock {
        let expected = self.expected_now();
        let expected_since = expected.saturating_sub(self.expected_before);
        let received_since = self.received - self.received_before;
        self.expected_before = expected;
        self.received_before = self.received;
        let lost_since = expected_since.saturating_sub(received_since);
        let fraction_lost = (lost_since * 256).checked_div(expected_since).unwrap_or(0).min(255) as u8;
        let (last_sr, delay_since_last_sr) = match self.sender_report {
            Some((middle, arrival)) => (middle, ntp_short(now.since(arrival))),
            None => (0, 0),
        };
        ReportBlock {
            ssrc,
            fraction_lost,
            cumulative_lost: self.lost_signed().clamp(-0x80_0000, 0x7F_FFFF) as i32,
            highest_sequence: self.highest,
            jitter: self.jitter_x16 >> 4,
            last_sr,
            delay_since_last_sr,
        }
    }

    /// All packets, repeated ones too.
    pub fn received(&self) -> u64 {
        self.received_earlier + self.received
    }

    /// Packets that never came; duplicates hide losses, as RFC 3550 has it.
    pub fn lost(&self) -> u64 {
        self.lost_signed().max(0) as u64
    }

    /// Runs of one or more lost packets.
    pub fn loss_runs(&self) -> u64 {
        self.runs + u64::from(begun(!self.came, 64, self.in_run))
    }

    /// Interarrival jitter, ms (RFC 3550 section 6.4.1).
    pub fn jitter_ms(&self) -> f32 {
        self.jitter_x16 as f32 / 16.0 * 1000.0 / self.clock_rate_hz as f32
    }

    fn lost_signed(&self) -> i64 {
        self.lost_earlier + self.expected_now() as i64 - self.received as i64
    }

    fn expected_now(&self) -> u64 {
        if self.started { u64::from(self.highest.wrapping_sub(self.base_sequence)) + 1 } else { 0 }
    }
}

/// Round trip to the peer from a report block about our own stream (RFC 3550 section 6.4.1).
///
/// `now_ntp` is the current NTP time on the clock our sender reports were stamped with, 32.32 fixed point.
/// `None` if the peer has not seen a report of ours, or if the numbers make no sense.
pub fn round_trip(now_ntp: u64, block: &ReportBlock) -> Option<Duration> {
    if block.last_sr == 0 {
        return None;
    }
    let now = (now_ntp >> 16) as u32;
    let short = now.wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_last_sr);
    // 16.16 seconds; the upper half of the range is a negative time.
    (short < 1 << 31).then(|| Duration::from_micros((u64::from(short) * 1_000_000) >> 16))
}

/// 16.16 fixed-point seconds; saturates at 18 hours.
fn ntp_short(duration: Duration) -> u32 {
    u32::try_from((duration.as_micros() << 16) / 1_000_000).unwrap_or(u32::MAX)
}

/// Runs of set bits that begin in the lowest `width` ones, oldest bit highest; `in_run` tells of the one before.
fn begun(lost: u64, width: u32, in_run: bool) -> u32 {
    let before = (lost >> 1) | (u64::from(in_run) << (width - 1));
    (lost & !before).count_ones()
}
