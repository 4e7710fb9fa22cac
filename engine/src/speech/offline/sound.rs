//! Samples: out of WAV files, from one rate to another, and where in them somebody speaks.
//! Whole utterances at once; what streams in real time is `crate::audio`.

use std::io::Cursor;

use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SoundError {
    #[error("not a WAV file: {0}")]
    NotWav(String),
    #[error(
        "WAV of {channels} channels, {bits} bits, {rate_hz} Hz; expected 1 channel, 16 bits, 8000, 16000 or 24000 Hz"
    )]
    Format { channels: u16, bits: u16, rate_hz: u32 },
}

/// The samples of a mono 16-bit WAV file and their rate in Hz.
pub fn wav_samples(wav: &[u8]) -> Result<(Vec<i16>, u32), SoundError> {
    let not_wav = |e: hound::Error| SoundError::NotWav(e.to_string());
    let mut reader = hound::WavReader::new(Cursor::new(wav)).map_err(not_wav)?;
    let spec = reader.spec();
    let fits = spec.channels == 1
        && spec.bits_per_sample == 16
        && spec.sample_format == hound::SampleFormat::Int
        && [8_000, 16_000, 24_000].contains(&spec.sample_rate);
    if !fits {
        return Err(SoundError::Format {
            channels: spec.channels,
            bits: spec.bits_per_sample,
            rate_hz: spec.sample_rate,
        });
    }
    let samples = reader.samples::<i16>().collect::<Result<_, _>>().map_err(not_wav)?;
    Ok((samples, spec.sample_rate))
}

/// A WAV header for `pcm_bytes` of mono 16-bit samples to follow.
pub fn wav_header(pcm_bytes: usize, rate_hz: u32) -> [u8; 44] {
    let bytes = u32::try_from(pcm_bytes).unwrap_or(u32::MAX - 36);
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &(bytes + 36).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16_u32.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &rate_hz.to_le_bytes(),
        &(rate_hz * 2).to_le_bytes(),
        &2_u16.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &bytes.to_le_bytes(),
    ];
    let mut header = [0; 44];
    for (to, from) in header.iter_mut().zip(fields.into_iter().flatten()) {
        *to = *from;
    }
    header
}

/// Zero crossings of the sinc on each side of the centre.
const LOBES: f64 = 16.0;

/// Another sample rate, by a polyphase filter: a sinc under a Hann window, cut off a little below the lower Nyquist rate.
pub fn resample(samples: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    if from_hz == to_hz || from_hz == 0 || to_hz == 0 {
        return samples.to_vec();
    }
    let shared = greatest_common_divisor(from_hz, to_hz);
    let (up, down) = ((to_hz / shared) as usize, (from_hz / shared) as usize);
    // In units of input samples: how far the filter reaches, and its cutoff as a part of the input's Nyquist rate.
    let cutoff = 0.95 * f64::from(to_hz.min(from_hz)) / f64::from(from_hz);
    let reach = (LOBES / cutoff).ceil();
    let width = 2 * reach as usize;
    let phases: Vec<Vec<f32>> = (0..up)
        .map(|phase| {
            let fraction = phase as f64 / up as f64;
            (0..width)
                .map(|tap| {
                    let t = tap as f64 - (reach - 1.0) - fraction;
                    let window = 0.5 + 0.5 * (std::f64::consts::PI * (t / reach).clamp(-1.0, 1.0)).cos();
                    (cutoff * sinc(cutoff * t) * window) as f32
                })
                .collect()
        })
        .collect();
    let before = reach as usize - 1;
    let mut padded = vec![0.0_f32; before];
    padded.extend(samples.iter().map(|s| f32::from(*s)));
    padded.resize(samples.len() + before + width, 0.0);
    (0..samples.len() * up / down)
        .map(|n| {
            let (start, phase) = (n * down / up, n * down % up);
            let (window, taps) = (padded.get(start..).unwrap_or_default(), phases.get(phase));
            let sum: f32 = window.iter().zip(taps.into_iter().flatten()).map(|(s, tap)| s * tap).sum();
            sum.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
        })
        .collect()
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Quieter than this (RMS of 10 ms) is nobody speaking: about -50 dBov.
const SPEECH_RMS: f64 = 100.0;
/// Speech stands out of the noise around it by this factor.
const ABOVE_NOISE: f64 = 2.5;
/// The least speech worth listening to.
const MIN_SPEECH_MS: usize = 120;
/// Kept on both sides of speech, for the soft ends of words.
const MARGIN_MS: usize = 200;

/// The part of `samples` in which somebody speaks, with a margin; `None` if it is all silence or even noise.
pub fn speech(samples: &[i16], rate_hz: u32) -> Option<&[i16]> {
    let frame = rate_hz as usize / 100;
    let levels: Vec<f64> = samples.chunks_exact(frame.max(1)).map(rms).collect();
    let mut sorted = levels.clone();
    sorted.sort_by(f64::total_cmp);
    let noise = sorted.get(sorted.len() / 10).copied()?;
    let loudest = sorted.get(sorted.len().saturating_sub(1 + sorted.len() / 50)).copied()?;
    // Cut close, an utterance has no pause to learn the noise from: then a part of its own loudness has to do.
    let threshold = (noise * ABOVE_NOISE).min(loudest / 4.0).max(SPEECH_RMS);
    let voiced = |level: &&f64| **level > threshold;
    if loudest < noise * ABOVE_NOISE || levels.iter().filter(voiced).count() * 10 < MIN_SPEECH_MS {
        return None;
    }
    let first = levels.iter().position(|level| *level > threshold)?;
    let last = levels.iter().rposition(|level| *level > threshold)?;
    let margin = MARGIN_MS / 10;
    let (from, to) = (first.saturating_sub(margin) * frame, ((last + 1 + margin) * frame).min(samples.len()));
    samples.get(from..to)
}

fn rms(frame: &[i16]) -> f64 {
    let sum: f64 = frame.iter().map(|s| f64::from(*s).powi(2)).sum();
    (sum / frame.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests;
