//! Plays a little faster or slower without a click: leaves out or repeats one pitch period, blended over 10 ms.
//! When that is wanted is decided in `playout`.

use super::FRAME_SAMPLES;
use super::pitch::{MAX_LAG, best_lag, blend};

/// Length of the blend, samples.
const BLEND: usize = 80;
/// A fit at least this good is not heard.
const GOOD_FIT: f32 = 0.7;
/// Below this mean magnitude (about -50 dBov) anything may be cut.
const QUIET: i32 = 70;

/// Samples that [`shorten`] needs ahead.
pub const AHEAD: usize = FRAME_SAMPLES + MAX_LAG;
/// Samples that [`lengthen`] needs of what was played before, and of what comes.
pub const BEHIND: usize = MAX_LAG;

/// Makes one frame out of more than a frame: leaves out the number of samples returned.
/// `None` if nothing fits here and it is not `urgent`.
pub fn shorten(ahead: &[i16; AHEAD], urgent: bool, out: &mut [i16; FRAME_SAMPLES]) -> Option<usize> {
    // Two pieces of the beginning, one lag apart, are blended: compare the later with the earlier.
    let fit = best_lag(&ahead[..BLEND + MAX_LAG], BLEND);
    let allowed = urgent || fit.likeness > GOOD_FIT || quiet(&ahead[..BLEND + MAX_LAG]);
    if !allowed {
        return None;
    }
    // `best_lag` anchors at the end of the piece; the blend must happen there too.
    let start = MAX_LAG - fit.lag;
    out[..start].copy_from_slice(&ahead[..start]);
    for at in 0..BLEND {
        out[start + at] = blend(ahead[start + at], ahead[start + fit.lag + at], at, BLEND);
    }
    let rest = start + BLEND;
    out[rest..].copy_from_slice(&ahead[rest + fit.lag..FRAME_SAMPLES + fit.lag]);
    Some(fit.lag)
}

/// Makes one frame out of less than a frame: `signal` is [`BEHIND`] samples already played, then a frame.
/// Returns the number of samples repeated, that is, left over at the end of `signal`.
pub fn lengthen(signal: &[i16; BEHIND + FRAME_SAMPLES], out: &mut [i16; FRAME_SAMPLES]) -> Option<usize> {
    let fit = best_lag(&signal[..BEHIND + BLEND], BLEND);
    let allowed = fit.likeness > GOOD_FIT || quiet(&signal[..BEHIND + BLEND]);
    if !allowed {
        return None;
    }
    for at in 0..BLEND {
        out[at] = blend(signal[BEHIND + at], signal[BEHIND + at - fit.lag], at, BLEND);
    }
    out[BLEND..].copy_from_slice(&signal[BEHIND + BLEND - fit.lag..BEHIND + FRAME_SAMPLES - fit.lag]);
    Some(fit.lag)
}

fn quiet(samples: &[i16]) -> bool {
    let sum: i32 = samples.iter().map(|s| i32::from(s.unsigned_abs())).sum();
    sum < QUIET * samples.len() as i32
}
