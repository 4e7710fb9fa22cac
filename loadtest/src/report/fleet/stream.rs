//! One call's stream as it came back: whether anything was heard, and how good it was.
//! All calls together are `fleet`.

use engine::audio::quality::{Loss, Robustness, mos};
use serde::{Deserialize, Serialize};

use crate::caller::media::LegReport;

/// What a phone adds to a stream's own unevenness: one packet is always on its way, ms.
const PACKET_MS: f64 = 20.0;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Nothing was heard: not one packet, or where voices were expected not one frame with a voice.
    pub one_way: bool,
    /// Mean opinion score by the E-model, as of G.711 behind a jitter buffer that takes in 95 % of the unevenness.
    pub mos: f64,
    pub received: u64,
    pub lost: u64,
    /// Pauses of more than 40 ms.
    pub gaps: u64,
    pub longest_pause_ms: f64,
}

// === impl StreamReport ===

impl StreamReport {
    /// `voices`: the agent was expected to speak.
    pub fn new(leg: &LegReport, voices: bool) -> Self {
        let counts = &leg.received;
        let delay_ms = PACKET_MS + counts.lateness.percentiles().p95_ms;
        // Lost packets come in runs that show as gaps.
        let loss = Loss::of(counts.lost, counts.packets + counts.lost, counts.gaps.max(1));
        let one_way = counts.packets == 0 || (voices && leg.voiced_frames == 0);
        Self {
            one_way,
            mos: if one_way { 1.0 } else { f64::from(mos(Robustness::G711, loss, delay_ms as f32)) },
            received: counts.packets,
            lost: counts.lost,
            gaps: counts.gaps,
            longest_pause_ms: counts.longest_pause.as_secs_f64() * 1000.0,
        }
    }
}
