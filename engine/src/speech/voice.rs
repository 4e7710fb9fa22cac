//! Synthesised PCM, cut anywhere, to law-encoded 8 kHz audio as a call plays it.
//! Runs on tokio as bytes come, so that a tick only copies.

use bytes::Bytes;

use crate::audio::SAMPLE_RATE_HZ;
use crate::audio::g711::Law;
use crate::audio::resample::{ResampleError, Resampler};

/// Encodes one sentence.
pub struct VoiceEncoder {
    law: Law,
    resampler: Resampler,
    /// First byte of a sample whose second has not come yet.
    half: Option<u8>,
    samples: Vec<i16>,
    resampled: Vec<i16>,
}

// === impl VoiceEncoder ===

impl VoiceEncoder {
    /// # Errors
    /// [`ResampleError`] for a rate that cannot be converted.
    pub fn new(from_hz: u32, law: Law) -> Result<Self, ResampleError> {
        let resampler = Resampler::new(from_hz, SAMPLE_RATE_HZ)?;
        Ok(Self { law, resampler, half: None, samples: Vec::new(), resampled: Vec::new() })
    }

    /// Takes 16-bit little-endian PCM; returns what is ready.
    pub fn push(&mut self, pcm: &[u8]) -> Bytes {
        self.samples.clear();
        let mut whole = pcm;
        if let (Some(low), Some((&high, rest))) = (self.half, pcm.split_first()) {
            self.samples.push(i16::from_le_bytes([low, high]));
            (self.half, whole) = (None, rest);
        }
        let (samples, half) = whole.as_chunks::<2>();
        self.samples.extend(samples.iter().map(|sample| i16::from_le_bytes(*sample)));
        self.half = half.first().copied().or(self.half);
        self.resampled.clear();
        self.resampler.process(&self.samples, &mut self.resampled);
        self.encoded()
    }

    /// The sentence is complete; returns what is left of it.
    pub fn finish(&mut self) -> Bytes {
        self.resampled.clear();
        self.resampler.flush(&mut self.resampled);
        self.encoded()
    }

    fn encoded(&self) -> Bytes {
        self.resampled.iter().map(|&sample| self.law.encode(sample)).collect::<Vec<u8>>().into()
    }
}
