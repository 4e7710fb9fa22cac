//! Call quality as a number: the E-model (ITU-T G.107, simplified) for G.711 with concealment.
//! The measurements that go in come from `playout` and `rtp::rtcp`.

/// R of a perfect narrow-band call without delay: 93.2 (G.107 defaults).
const R_BEST: f32 = 93.2;
/// Robustness of G.711 with concealment against loss, % (G.113 appendix I, Bpl).
const LOSS_ROBUSTNESS: f32 = 25.1;

/// Mean opinion score, 1.0 to 4.5, as a listener would give it.
///
/// `loss_percent` counts what had to be concealed (lost and late), 0 to 100. `delay_ms` is one-way mouth to ear:
/// network plus jitter buffer.
pub fn mos(loss_percent: f32, delay_ms: f32) -> f32 {
    let loss = loss_percent.clamp(0.0, 100.0);
    let delay = delay_ms.max(0.0);
    // G.107: delay hurts a little from the start, more once talkers begin to collide (177.3 ms).
    let delay_impairment = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let loss_impairment = 95.0 * loss / (loss + LOSS_ROBUSTNESS);
    mos_of_r(R_BEST - delay_impairment - loss_impairment)
}

/// G.107 annex B.
fn mos_of_r(r: f32) -> f32 {
    let r = r.clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7.0e-6).clamp(1.0, 4.5)
}
