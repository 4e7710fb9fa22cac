//! The media of one call or of many: how evenly it came, how well we kept our own time.
//! The counts are made by `caller::media`; here they become numbers with names.

use serde::Serialize;

use super::table::Table;
use crate::caller::media::{LegReport, SendCounts};
use crate::measure::histogram::Percentiles;
use crate::measure::spacing::SpacingCounts;

/// Below this share of the packets due, what was measured says more about the generator than about the node.
const LEAST_SENT_SHARE: f64 = 0.99;
/// Packets sent later than this (p99) are jitter of our own making, a frame and more.
const MOST_LATENESS_MS: f64 = 20.0;

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct MediaReport {
    pub received: u64,
    pub lost: u64,
    pub out_of_order: u64,
    /// Pauses of more than 40 ms between packets.
    pub gaps: u64,
    pub longest_pause_ms: f64,
    /// Steps of the RTP timestamp that do not fit the sequence number.
    pub timestamp_jumps: u64,
    pub ssrc_changes: u64,
    /// Time between received packets, by kernel timestamps.
    pub spacing: Percentiles,
    /// Share of the spacings within 20 ± 3 ms, 0 to 1.
    pub within_3_ms: f64,
    /// How much later packets came than by the first one of their stretch.
    pub lateness: Percentiles,
    pub sent: u64,
    /// Packets we should have sent.
    pub sent_nominal: u64,
    pub sent_share: f64,
    /// How late we sent.
    pub send_lateness: Percentiles,
}

// === impl MediaReport ===

impl From<&LegReport> for MediaReport {
    fn from(leg: &LegReport) -> Self {
        Self::new(&leg.received, &leg.sending)
    }
}

impl MediaReport {
    pub fn new(received: &SpacingCounts, sending: &SendCounts) -> Self {
        Self {
            received: received.packets,
            lost: received.lost,
            out_of_order: received.out_of_order,
            gaps: received.gaps,
            longest_pause_ms: received.longest_pause.as_secs_f64() * 1000.0,
            timestamp_jumps: received.timestamp_jumps,
            ssrc_changes: received.ssrc_changes,
            spacing: received.spacing.percentiles(),
            within_3_ms: received.even_share(),
            lateness: received.lateness.percentiles(),
            sent: sending.sent,
            sent_nominal: sending.nominal,
            sent_share: sending.sent_share(),
            send_lateness: sending.lateness.percentiles(),
        }
    }

    /// Why these numbers must not be believed, if the generator itself fell behind.
    pub fn generator_too_slow(&self) -> Option<String> {
        let behind = self.sent_share < LEAST_SENT_SHARE || self.send_lateness.p99_ms > MOST_LATENESS_MS;
        behind.then(|| {
            format!(
                "generator too slow: {:.2} % of the packets due were sent, p99 {:.1} ms late",
                self.sent_share * 100.0,
                self.send_lateness.p99_ms
            )
        })
    }

    /// What a listener would have noticed, as plain sentences.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.spacing.count > 0 && !(17.0..=23.0).contains(&self.spacing.p99_ms) {
            problems.push(format!("packet spacing p99 is {:.1} ms, not within 20 ± 3 ms", self.spacing.p99_ms));
        }
        for (count, what) in [
            (self.gaps, "pauses of more than 40 ms between packets"),
            (self.lost, "packets missing by sequence number"),
            (self.timestamp_jumps, "RTP timestamp jumps"),
        ] {
            if count > 0 {
                problems.push(format!("{count} {what}"));
            }
        }
        problems
    }

    pub(super) fn rows(&self, table: &mut Table) {
        let Percentiles { p50_ms, p99_ms, max_ms, .. } = self.spacing;
        table
            .row("packet spacing", format!("p50 {p50_ms:.1}  p99 {p99_ms:.1}  max {max_ms:.1} ms"))
            .row("within 20 ± 3 ms", format!("{:.3} %", self.within_3_ms * 100.0))
            .row(
                "late by their stretch",
                format!("p50 {:.1}  p99 {:.1} ms", self.lateness.p50_ms, self.lateness.p99_ms),
            )
            .row(
                "gaps, lost, jumps",
                format!(
                    "{} over 40 ms, {} of {} packets lost, {} timestamp jumps",
                    self.gaps, self.lost, self.received, self.timestamp_jumps
                ),
            )
            .row(
                "own sending",
                format!(
                    "{:.2} % of {} packets, late p50 {:.2}  p99 {:.2}  max {:.1} ms",
                    self.sent_share * 100.0,
                    self.sent_nominal,
                    self.send_lateness.p50_ms,
                    self.send_lateness.p99_ms,
                    self.send_lateness.max_ms
                ),
            );
    }
}
