//! What is heard while packets are missing: the last pitch periods again, fading over 80 ms into the line's own noise
//! (after ITU-T G.711 Appendix I, without its delay). Which samples are missing is decided in `playout`.

use super::line_noise::LineNoise;
use super::pitch::{MAX_LAG, best_lag, blend};

/// Three of the longest periods and a quarter of one to blend with.
const HISTORY: usize = 3 * MAX_LAG + MAX_LAG / 4;
/// 10 ms: full level first, then down in steps of a fifth per 10 ms.
const STEP: usize = 80;
/// After 80 ms there is nothing left. The standard's 60 ms leave a hole of more than that where five packets in a row are
/// lost (100 ms) and the rest of a packet beside them was played already; longer, one sound would hum.
const FADED: usize = 8 * STEP;
/// Length over which the jump at the start of a loss is smoothed away, samples.
const SMOOTHED: usize = 24;
/// Blend back into voice: at most 10 ms, and 4 ms out of silence.
const LONGEST_MERGE: usize = 80;
const MERGE_FROM_SILENCE: usize = 32;

/// Remembers what was played, makes up what is missing, and joins both without a click.
#[derive(Debug, Clone)]
pub struct Concealer {
    /// What was heard last, received or made up: a ring, as every frame comes by here, and where its oldest sample is.
    heard: [i16; HISTORY],
    oldest: usize,
    /// The same as it was when the loss began: what is repeated.
    history: [i16; HISTORY],
    /// Samples made up since the last received one.
    made_up: usize,
    lag: usize,
    noise: LineNoise,
    /// Peak of the noise that this loss fades into.
    noise_peak: i32,
    /// Difference between the last sample received and the one the repetition would have had there.
    jump: i32,
    /// What the made-up audio would have gone on with; blended with received samples until `tail_length`.
    tail: [i16; LONGEST_MERGE],
    tail_length: usize,
    tail_at: usize,
}

impl Concealer {
    pub const fn new() -> Self {
        Self {
            heard: [0; HISTORY],
            oldest: 0,
            history: [0; HISTORY],
            made_up: 0,
            lag: MAX_LAG,
            noise: LineNoise::new(),
            noise_peak: 0,
            jump: 0,
            tail: [0; LONGEST_MERGE],
            tail_length: 0,
            tail_at: 0,
        }
    }

    /// Takes received samples on their way out; blends the first ones with what was made up before them.
    pub fn received(&mut self, samples: &mut [i16]) {
        self.noise.follow(samples);
        if self.made_up > 0 {
            self.begin_merge();
        }
        let rest = self.tail_length - self.tail_at;
        for (sample, made_up) in samples.iter_mut().zip(&self.tail[self.tail_at..]).take(rest) {
            *sample = blend(*made_up, *sample, self.tail_at, self.tail_length);
            self.tail_at += 1;
        }
        self.remember(samples);
    }

    /// Fills `out` with what might have been there.
    pub fn make_up(&mut self, out: &mut [i16]) {
        if self.made_up == 0 {
            self.prepare();
        }
        for sample in &mut *out {
            *sample = self.made_up_sample(self.made_up);
            self.made_up += 1;
        }
        self.remember(out);
    }

    /// Fills `out` with what is heard in a pause: the line's noise, or nothing before the first sound.
    pub fn keep_quiet(&mut self, out: &mut [i16]) {
        if self.is_silent() {
            self.make_up(out);
        } else {
            out.fill(0);
        }
    }

    /// What comes next does not follow what was before: blend it in.
    pub fn cut(&mut self) {
        if self.made_up == 0 {
            self.prepare();
            self.made_up = 1;
        }
    }

    /// Whether what is made up has faded away, but for the line's noise.
    pub fn is_silent(&self) -> bool {
        self.made_up >= FADED
    }

    /// Whether the last sample out was made up.
    pub fn is_active(&self) -> bool {
        self.made_up > 0
    }

    /// The last `N` samples heard, oldest first. `N` is at most 390.
    pub fn last<const N: usize>(&self) -> [i16; N] {
        const { assert!(N <= HISTORY) };
        let (newer, older) = self.heard.split_at(self.oldest);
        let mut last = [0; N];
        let heard = older.iter().chain(newer).skip(HISTORY - N);
        last.iter_mut().zip(heard).for_each(|(to, sample)| *to = *sample);
        last
    }

    /// Makes up what would have come next, for what now comes to be blended with.
    fn begin_merge(&mut self) {
        self.tail_length = if self.is_silent() {
            MERGE_FROM_SILENCE
        } else {
            (self.lag / 4 + self.made_up / STEP * 32).min(LONGEST_MERGE)
        };
        self.tail_at = 0;
        for at in 0..self.tail_length {
            self.tail[at] = self.made_up_sample(self.made_up + at);
        }
        self.made_up = 0;
    }

    fn prepare(&mut self) {
        self.tail_length = 0;
        self.tail_at = 0;
        self.history = self.last();
        self.noise_peak = self.noise.peak();
        self.lag = best_lag(&self.history, 160).lag;
        self.jump = i32::from(self.history[HISTORY - 1]) - i32::from(self.history[HISTORY - 1 - self.lag]);
    }

    fn remember(&mut self, samples: &[i16]) {
        let latest = &samples[samples.len().saturating_sub(HISTORY)..];
        let (first, second) = latest.split_at(latest.len().min(HISTORY - self.oldest));
        self.heard[self.oldest..self.oldest + first.len()].copy_from_slice(first);
        self.heard[..second.len()].copy_from_slice(second);
        self.oldest = (self.oldest + latest.len()) % HISTORY;
    }

    /// Sample `at` of the made-up signal.
    fn made_up_sample(&mut self, at: usize) -> i16 {
        let noise = self.noise.sample(self.noise_peak);
        if at >= FADED {
            return noise as i16;
        }
        // One period for 10 ms, then two, then three: a single one repeated for long would buzz.
        let periods = (at / STEP + 1).min(3);
        let quarter = self.lag / 4;
        let mut value = i32::from(self.repeated(periods, at));
        let since_change = at % STEP;
        if (STEP..3 * STEP).contains(&at) && since_change < quarter {
            value = i32::from(blend(self.repeated(periods - 1, at), value as i16, since_change, quarter));
        }
        if at < SMOOTHED {
            value += self.jump * (SMOOTHED - at) as i32 / SMOOTHED as i32;
        }
        // Full for 10 ms, then linearly to the noise.
        let full = (FADED - STEP) as i32;
        let gain = (FADED - at).min(FADED - STEP) as i32;
        let faded = (value * gain + noise * (full - gain)) / full;
        faded.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
    }

    /// The last `periods` periods as an endless loop whose end is blended into its beginning.
    fn repeated(&self, periods: usize, at: usize) -> i16 {
        let length = periods * self.lag;
        let quarter = self.lag / 4;
        let start = HISTORY - length;
        let at = at % length;
        let blend_from = length - quarter;
        if at < blend_from {
            return self.history[start + at];
        }
        blend(self.history[start + at], self.history[start + at - length], at - blend_from, quarter)
    }
}
