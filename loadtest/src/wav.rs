//! WAV files in and out of the load tester: any rate and width in, 8 kHz mono 16 bit inside.
//! No audio is made here (`voice` does) and none compared (`measure::alignment`).

use std::path::{Path, PathBuf};

use engine::audio::SAMPLE_RATE_HZ;
use engine::audio::resample::{ResampleError, Resampler};
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum WavError {
    #[error("cannot read {path}: {cause}")]
    Read { path: PathBuf, cause: hound::Error },
    #[error("cannot write {path}: {cause}")]
    Write { path: PathBuf, cause: hound::Error },
    #[error("{path} has {channels} channels, there is no channel {wanted}")]
    Channel { path: PathBuf, channels: u16, wanted: u16 },
    #[error("{path} is {rate_hz} Hz, {bits} bit {format:?}: only integer and float PCM of 8 to 48 kHz is read")]
    Format { path: PathBuf, rate_hz: u32, bits: u16, format: SampleFormat },
    #[error(transparent)]
    Rate(ResampleError),
}

/// Reads channel `channel` (from 0) of a WAV file as 8 kHz samples.
pub fn read(path: &Path, channel: u16) -> Result<Vec<i16>, WavError> {
    let failed = |cause| WavError::Read { path: path.to_owned(), cause };
    let mut reader = WavReader::open(path).map_err(failed)?;
    let spec = reader.spec();
    if channel >= spec.channels {
        return Err(WavError::Channel { path: path.to_owned(), channels: spec.channels, wanted: channel });
    }
    let unknown = || WavError::Format {
        path: path.to_owned(),
        rate_hz: spec.sample_rate,
        bits: spec.bits_per_sample,
        format: spec.sample_format,
    };
    if !(8000..=48_000).contains(&spec.sample_rate) {
        return Err(unknown());
    }
    let interleaved: Vec<i16> = match (spec.sample_format, spec.bits_per_sample) {
        (SampleFormat::Int, 16) => reader.samples::<i16>().collect::<Result<_, _>>().map_err(failed)?,
        (SampleFormat::Int, 8) => {
            reader.samples::<i8>().map(|s| s.map(|s| i16::from(s) << 8)).collect::<Result<_, _>>().map_err(failed)?
        }
        (SampleFormat::Int, bits @ (24 | 32)) => reader
            .samples::<i32>()
            .map(|s| s.map(|s| (s >> (bits - 16)) as i16))
            .collect::<Result<_, _>>()
            .map_err(failed)?,
        (SampleFormat::Float, 32) => reader
            .samples::<f32>()
            .map(|s| s.map(|s| (s * 32_767.0) as i16))
            .collect::<Result<_, _>>()
            .map_err(failed)?,
        _ => return Err(unknown()),
    };
    let mono = interleaved.into_iter().skip(channel.into()).step_by(spec.channels.into()).collect();
    to_8_khz(spec.sample_rate, mono)
}

/// Brings mono samples from `rate_hz` to 8 kHz.
pub fn to_8_khz(rate_hz: u32, samples: Vec<i16>) -> Result<Vec<i16>, WavError> {
    if rate_hz == SAMPLE_RATE_HZ {
        return Ok(samples);
    }
    let mut resampler = Resampler::new(rate_hz, SAMPLE_RATE_HZ).map_err(WavError::Rate)?;
    let mut out = Vec::with_capacity(samples.len());
    resampler.process(&samples, &mut out);
    resampler.flush(&mut out);
    Ok(out)
}

/// Writes 8 kHz mono samples.
pub fn write(path: &Path, samples: &[i16]) -> Result<(), WavError> {
    let failed = |cause| WavError::Write { path: path.to_owned(), cause };
    let spec =
        WavSpec { channels: 1, sample_rate: SAMPLE_RATE_HZ, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut writer = WavWriter::create(path, spec).map_err(failed)?;
    for &sample in samples {
        writer.write_sample(sample).map_err(failed)?;
    }
    writer.finalize().map_err(failed)
}
