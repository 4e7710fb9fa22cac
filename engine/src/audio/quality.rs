//! Call quality as a number: the E-model (ITU-T G.107, simplified), on its narrow-band scale for every codec.
//! The measurements that go in come from `playout`, `rtp::reception` and `rtp::rtcp`.

/// R of a perfect narrow-band call without delay: 93.2 (G.107 defaults).
const R_BEST: f32 = 93.2;

/// How a codec bears loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Robustness {
    /// Impairment without loss, on the R scale (Ie).
    pub impairment: f32,
    /// Robustness against loss, % (Bpl): the loss that costs half of what is left.
    pub against_loss: f32,
}

impl Robustness {
    /// G.711 with concealment (G.113 appendix I).
    pub const G711: Self = Self { impairment: 0.0, against_loss: 25.1 };
    /// G.722, whose own concealment is weaker: its predictors lose their state. G.113 has it on the wide-band scale
    /// only; on this one it is no worse than G.711 without loss.
    pub const G722: Self = Self { impairment: 0.0, against_loss: 15.0 };
    /// Opus, with its own concealment and without in-band FEC; not in G.113, taken between the two.
    pub const OPUS: Self = Self { impairment: 0.0, against_loss: 20.0 };
}

/// What was lost to the ear: never came, or came too late.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// 0 to 100.
    pub percent: f32,
    /// Mean length of the runs of loss over what it were if each packet were lost for itself (G.107, BurstR); 1 and more.
    pub burst_ratio: f32,
}

// === impl Loss ===

impl Loss {
    pub const NONE: Self = Self { percent: 0.0, burst_ratio: 1.0 };

    /// `lost` of `expected` packets, in so many runs.
    pub fn of(lost: u64, expected: u64, runs: u64) -> Self {
        if lost == 0 || expected == 0 {
            return Self::NONE;
        }
        let share = (lost as f32 / expected as f32).min(1.0);
        let run = lost as f32 / runs.max(1) as f32;
        // Reordering makes more runs than there are: no ratio says that loss was better than at random.
        Self { percent: share * 100.0, burst_ratio: (run * (1.0 - share)).max(1.0) }
    }
}

/// Mean opinion score, 1.0 to 4.5, as a listener would give it.
///
/// `delay_ms` is one-way mouth to ear: network plus jitter buffer.
pub fn mos(codec: Robustness, loss: Loss, delay_ms: f32) -> f32 {
    let percent = loss.percent.clamp(0.0, 100.0);
    let delay = delay_ms.max(0.0);
    // G.107: delay hurts a little from the start, more once talkers begin to collide (177.3 ms).
    let delay_impairment = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let against_loss = percent / loss.burst_ratio.max(1.0) + codec.against_loss;
    let loss_impairment = codec.impairment + (95.0 - codec.impairment) * percent / against_loss;
    mos_of_r(R_BEST - delay_impairment - loss_impairment)
}

/// G.107 annex B.
fn mos_of_r(r: f32) -> f32 {
    let r = r.clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7.0e-6).clamp(1.0, 4.5)
}
