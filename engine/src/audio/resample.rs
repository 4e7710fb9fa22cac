//! Sample rates: a fixed 8 to 16 kHz filter for the per-frame path, and a streaming converter for synthesised speech.
//! No decoding here: linear 16-bit samples in and out.

use super::FRAME_SAMPLES;
use super::decimate::Decimator;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Indexing, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};
use thiserror::Error;

/// Why two rates cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResampleError {
    #[error("cannot resample from {from_hz} Hz to {to_hz} Hz: {reason}")]
    Rates { from_hz: u32, to_hz: u32, reason: String },
}

/// Half of the symmetric filter between two samples: sinc at odd half-samples under a Kaiser window (beta 6).
/// Flat within 0.03 dB to 3.4 kHz, mirror images 50 dB down from 4.6 kHz on.
const HALF_BAND: [f32; HALF] = [
    0.633_811_7,
    -0.203_359_5,
    0.112_966_3,
    -0.071_745_5,
    0.047_530_7,
    -0.031_612_2,
    0.020_635,
    -0.012_982_9,
    0.007_723_4,
    -0.004_231_2,
    0.002_038_7,
    -0.000_774_5,
];
const HALF: usize = 12;

/// 8 to 16 kHz, a frame at a time, 1.5 ms behind its input.
#[derive(Debug, Clone)]
pub struct Upsampler {
    /// The last samples of the frame before, then the frame.
    window: [f32; 2 * HALF - 1 + FRAME_SAMPLES],
}

impl Upsampler {
    pub const fn new() -> Self {
        Self { window: [0.0; 2 * HALF - 1 + FRAME_SAMPLES] }
    }

    /// Writes two samples for each one given.
    pub fn process(&mut self, input: &[i16; FRAME_SAMPLES], out: &mut [i16; 2 * FRAME_SAMPLES]) {
        self.window.copy_within(FRAME_SAMPLES.., 0);
        for (to, from) in self.window[2 * HALF - 1..].iter_mut().zip(input) {
            *to = f32::from(*from);
        }
        // Tap by tap over all samples, so that the compiler can use vectors.
        let mut between = [0.0f32; FRAME_SAMPLES];
        for (at, tap) in HALF_BAND.iter().enumerate() {
            let before = &self.window[HALF - 1 - at..];
            let after = &self.window[HALF + at..];
            for ((sum, a), b) in between.iter_mut().zip(before).zip(after) {
                *sum += tap * (a + b);
            }
        }
        for ((pair, exact), between) in out.chunks_exact_mut(2).zip(&self.window[HALF - 1..]).zip(&between) {
            // `as` saturates.
            pair.copy_from_slice(&[*exact as i16, between.round_ties_even() as i16]);
        }
    }
}

impl Default for Upsampler {
    fn default() -> Self {
        Self::new()
    }
}

/// Steps of the streaming converter in a second: 10 ms each.
const STEPS_A_SECOND: u32 = 100;
/// Taps of its filter.
const SINC_TAPS: usize = 64;

/// Any rate to any rate, for a stream of speech that comes in pieces of any length.
///
/// Output is trimmed of the filter's delay: after `flush`, it is as long as the input at the new rate, and in step.
pub struct Resampler {
    /// Where one rate is a whole multiple of the other, as speech's 24 kHz are.
    decimator: Option<Decimator>,
    /// For every other ratio; without either both rates are the same.
    inner: Option<Async<f32>>,
    from_hz: u32,
    to_hz: u32,
    /// Input samples per step.
    step: usize,
    /// Input not yet converted, less than a step.
    pending: Vec<f32>,
    converted: Vec<f32>,
    /// Samples at the start of the output that are the filter's delay.
    skip: usize,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// Fails for a rate of zero, or a ratio the filter cannot do.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, ResampleError> {
        let error = |reason: String| ResampleError::Rates { from_hz, to_hz, reason };
        if from_hz == 0 || to_hz == 0 {
            return Err(error("a rate is zero".to_owned()));
        }
        let step = from_hz.div_ceil(STEPS_A_SECOND) as usize;
        let mut this = Self {
            decimator: None,
            inner: None,
            step,
            from_hz,
            to_hz,
            pending: Vec::with_capacity(step),
            converted: Vec::new(),
            skip: 0,
            taken: 0,
            given: 0,
        };
        if from_hz > to_hz && from_hz.is_multiple_of(to_hz) {
            this.decimator = Some(Decimator::new((from_hz / to_hz) as usize));
        } else if from_hz != to_hz {
            let parameters = SincInterpolationParameters::new(SINC_TAPS, WindowFunction::Blackman2)
                .interpolation(SincInterpolationType::Linear);
            let ratio = f64::from(to_hz) / f64::from(from_hz);
            let inner = Async::new_sinc(ratio, 1.0, &parameters, step, 1, FixedAsync::Input)
                .map_err(|reason| error(reason.to_string()))?;
            this.skip = inner.output_delay();
            this.converted = vec![0.0; inner.output_frames_max()];
            this.inner = Some(inner);
        }
        Ok(this)
    }

    /// Appends what is ready to `out`. Allocates only if `out` must grow.
    pub fn process(&mut self, mut input: &[i16], out: &mut Vec<i16>) {
        if let Some(decimator) = &mut self.decimator {
            self.taken += input.len() as u64;
            let before = out.len();
            decimator.process(input.iter().copied(), out);
            self.given += (out.len() - before) as u64;
            return;
        }
        if self.inner.is_none() {
            out.extend_from_slice(input);
            return;
        }
        self.taken += input.len() as u64;
        while !input.is_empty() {
            let (now, later) = input.split_at(input.len().min(self.step - self.pending.len()));
            self.pending.extend(now.iter().map(|sample| f32::from(*sample)));
            input = later;
            if self.pending.len() == self.step {
                self.convert(out);
            }
        }
    }

    /// Appends the rest of the stream and begins anew.
    pub fn flush(&mut self, out: &mut Vec<i16>) {
        let wanted = (self.taken * u64::from(self.to_hz)).div_ceil(u64::from(self.from_hz));
        let start = out.len();
        let missing = usize::try_from(wanted.saturating_sub(self.given)).unwrap_or(0);
        if let Some(decimator) = &mut self.decimator {
            decimator.process(std::iter::repeat_n(0, 2 * decimator.reach() + 2), out);
            decimator.begin();
        }
        // The filter still holds its delay: push silence behind the stream until that is out.
        while out.len() < start + missing && self.inner.is_some() {
            self.pending.resize(self.step, 0.0);
            self.convert(out);
        }
        out.truncate(start + missing);
        self.pending.clear();
        (self.taken, self.given) = (0, 0);
        if let Some(inner) = &mut self.inner {
            inner.reset();
            self.skip = inner.output_delay();
        }
    }

    fn convert(&mut self, out: &mut Vec<i16>) {
        let Some(inner) = &mut self.inner else { return };
        let capacity = self.converted.len();
        let written = match (
            InterleavedSlice::new(&self.pending, 1, self.step),
            InterleavedSlice::new_mut(&mut self.converted, 1, capacity),
        ) {
            (Ok(from), Ok(mut to)) => {
                inner.process_into_buffer(&from, &mut to, None::<&Indexing>).map_or(0, |(_, n)| n)
            }
            // Both buffers are made to measure.
            _ => 0,
        };
        self.pending.clear();
        let skipped = self.skip.min(written);
        self.skip -= skipped;
        let fresh = self.converted.get(skipped..written).unwrap_or(&[]);
        // `as` saturates: a filter may overshoot full scale.
        out.extend(fresh.iter().map(|sample| sample.round_ties_even() as i16));
        self.given += fresh.len() as u64;
    }
}
