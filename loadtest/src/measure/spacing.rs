//! How evenly a stream of RTP packets arrived: spacing by kernel time, gaps, sequence and timestamp jumps.
//! Knows headers only; what the audio sounds like is `level` and `alignment`.

#[cfg(test)]
mod tests;

use std::time::Duration;

use engine::clock::Moment;
use serde::{Deserialize, Serialize};

use super::histogram::Durations;

/// Spacing a 20 ms stream should have, and how far off a packet may be and still count as even.
pub const NOMINAL: Duration = Duration::from_millis(20);
pub const TOLERANCE: Duration = Duration::from_millis(3);
/// After so long lateness is counted from a new packet on, so that two clocks that differ do not add up.
const COUNTED_FROM: Duration = Duration::from_secs(5);
/// A pause longer than this without a packet is a gap: at least one packet was missed.
pub const GAP: Duration = Duration::from_millis(40);

/// The header fields of one received packet that spacing is judged by (RFC 3550 section 5.1).
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When the kernel received it.
    pub at: Moment,
    pub marker: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    /// Length of the audio in the packet, in timestamp units.
    pub duration: u32,
    /// Timestamp units a second.
    pub clock_hz: u32,
}

/// Counts one stream as it arrives. Allocates nothing after creation.
#[derive(Debug, Clone, Default)]
pub struct SpacingMeter {
    last: Option<Arrival>,
    /// The packet lateness is counted from.
    base: Option<Arrival>,
    counts: SpacingCounts,
}

/// What was counted; of several calls merged, the sums.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SpacingCounts {
    pub packets: u64,
    /// Time between packets that followed each other.
    pub spacing: Durations,
    /// How many of `spacing` are within [`NOMINAL`] ± [`TOLERANCE`].
    pub even: u64,
    /// How much later each packet came than by the timestamps and the arrival of the first one of its stretch of speech (of
    /// its last 5 s); zero for those that came before their time.
    pub lateness: Durations,
    /// Pauses longer than [`GAP`].
    pub gaps: u64,
    pub longest_pause: Duration,
    /// Packets missing by sequence number.
    pub lost: u64,
    /// Packets that came after one sent later, or twice.
    pub out_of_order: u64,
    /// Timestamp steps that do not fit the sequence step, where no marker announced a pause.
    pub timestamp_jumps: u64,
    /// Changes of the synchronisation source.
    pub ssrc_changes: u64,
}

// === impl SpacingMeter ===

impl SpacingMeter {
    pub fn on_packet(&mut self, arrival: Arrival) {
        let counts = &mut self.counts;
        counts.packets += 1;
        let base = *self.base.get_or_insert(arrival);
        let Some(last) = self.last.replace(arrival) else { return };
        if last.ssrc != arrival.ssrc {
            counts.ssrc_changes += 1;
            self.base = Some(arrival);
            counts.note_pause(arrival.at.since(last.at));
            return;
        }
        let step = arrival.sequence.wrapping_sub(last.sequence);
        if step == 0 || step >= 0x8000 {
            counts.out_of_order += 1;
            // It was counted lost when a later one overtook it.
            if step != 0 {
                counts.lost = counts.lost.saturating_sub(1);
            }
            self.last = Some(last);
            return;
        }
        counts.lost += u64::from(step - 1);
        let advance = arrival.timestamp.wrapping_sub(last.timestamp);
        let expected = last.duration * u32::from(step);
        if advance != expected {
            if arrival.marker && advance > expected && advance < 0x8000_0000 {
                // Silence suppression (RFC 3551 section 4.1): the sender meant this pause.
                self.base = Some(arrival);
                return;
            }
            counts.timestamp_jumps += 1;
            self.base = Some(arrival);
        } else {
            let media = u64::from(arrival.timestamp.wrapping_sub(base.timestamp)) * 1_000_000;
            let due = base.at.0 + media / u64::from(arrival.clock_hz.max(1));
            counts.lateness.record(Duration::from_micros(arrival.at.0.saturating_sub(due)));
            if arrival.at.since(base.at) >= COUNTED_FROM {
                self.base = Some(arrival);
            }
        }
        counts.note_pause(arrival.at.since(last.at));
    }

    pub fn counts(&self) -> &SpacingCounts {
        &self.counts
    }

    pub fn into_counts(self) -> SpacingCounts {
        self.counts
    }
}

// === impl SpacingCounts ===

impl SpacingCounts {
    fn note_pause(&mut self, pause: Duration) {
        self.spacing.record(pause);
        self.longest_pause = self.longest_pause.max(pause);
        if pause > GAP {
            self.gaps += 1;
        }
        if pause.abs_diff(NOMINAL) <= TOLERANCE {
            self.even += 1;
        }
    }

    /// Share of spacings within [`NOMINAL`] ± [`TOLERANCE`], 0 to 1; 1 if there were none.
    pub fn even_share(&self) -> f64 {
        share(self.even, self.spacing.count())
    }

    pub fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.spacing.merge(&other.spacing);
        self.even += other.even;
        self.lateness.merge(&other.lateness);
        self.gaps += other.gaps;
        self.longest_pause = self.longest_pause.max(other.longest_pause);
        self.lost += other.lost;
        self.out_of_order += other.out_of_order;
        self.timestamp_jumps += other.timestamp_jumps;
        self.ssrc_changes += other.ssrc_changes;
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}
