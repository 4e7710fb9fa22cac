//! Opus (RFC 6716) through libopus, narrowband and mono: 8 kHz samples both ways.
//! What is agreed on (RFC 7587) is `sip_bridge::sdp`'s.

use opus::{Application, Bandwidth, Bitrate, Channels, Signal};

/// Samples in 2.5 ms: what libopus makes up comes in multiples of it.
pub const GRAIN: usize = 20;
/// Longest packet Opus knows: 120 ms.
pub const LONGEST: usize = 960;

/// How we encode, as far as it was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusSettings {
    /// Effort, 0 to 10.
    pub complexity: u8,
    /// bit/s.
    pub bitrate: u32,
    /// Loss reported by the other side makes us send what it lost once more, coarsely (in-band FEC).
    pub fec: bool,
    /// Silence is not sent.
    pub dtx: bool,
}

/// An encoder that failed to be made encodes nothing.
#[derive(Debug)]
pub struct OpusEncoder {
    inner: Option<opus::Encoder>,
    dtx: bool,
}

/// A decoder that failed to be made decodes nothing.
#[derive(Debug)]
pub struct OpusDecoder {
    inner: Option<opus::Decoder>,
}

// === impl OpusSettings ===

impl Default for OpusSettings {
    fn default() -> Self {
        // Narrowband voices gain nothing from more effort, and much from more bits (benches/README.md).
        Self { complexity: 1, bitrate: 24_000, fec: true, dtx: false }
    }
}

// === impl OpusEncoder ===

impl OpusEncoder {
    pub fn new(settings: OpusSettings) -> Self {
        Self { inner: encoder(settings).ok(), dtx: settings.dtx }
    }

    /// Encodes 10, 20, 40 or 60 ms into one packet; its length in bytes, 0 if there is no room for it.
    pub fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        self.inner.as_mut().and_then(|inner| inner.encode(samples, out).ok()).unwrap_or(0)
    }

    /// Whether a packet of `bytes` bytes says no more than that there is silence.
    pub fn is_silence(&self, bytes: usize) -> bool {
        self.dtx && bytes <= 2
    }

    /// The other side loses this share of our packets, percent; above 0, and if it was agreed, FEC is sent.
    pub fn expect_loss(&mut self, percent: u8) {
        if let Some(inner) = self.inner.as_mut() {
            // Refused only above 100.
            let _ = inner.set_packet_loss_perc(i32::from(percent.min(100)));
        }
    }
}

fn encoder(settings: OpusSettings) -> Result<opus::Encoder, opus::Error> {
    let mut encoder = opus::Encoder::new(8000, Channels::Mono, Application::Voip)?;
    encoder.set_complexity(i32::from(settings.complexity.min(10)))?;
    encoder.set_bitrate(Bitrate::Bits(i32::try_from(settings.bitrate).unwrap_or(i32::MAX)))?;
    encoder.set_signal(Signal::Voice)?;
    encoder.set_max_bandwidth(Bandwidth::Narrowband)?;
    encoder.set_inband_fec(settings.fec)?;
    encoder.set_dtx(settings.dtx)?;
    Ok(encoder)
}

// === impl OpusDecoder ===

impl OpusDecoder {
    pub fn new() -> Self {
        Self { inner: opus::Decoder::new(8000, Channels::Mono).ok() }
    }

    /// Length of a packet in samples, if it is one.
    pub fn samples(payload: &[u8]) -> Option<usize> {
        opus::packet::get_nb_samples(payload, 8000).ok().filter(|samples| (1..=LONGEST).contains(samples))
    }

    /// Decodes a packet; the number of samples, `None` if it is none. `out` has room for [`LONGEST`].
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Option<usize> {
        if payload.is_empty() {
            return None;
        }
        self.inner.as_mut()?.decode(payload, out, false).ok()
    }

    /// Fills `out` (a multiple of [`GRAIN`]) with what came before the packet `next` and was lost: what `next` has of
    /// it, and for the rest what might have been.
    pub fn recover(&mut self, next: &[u8], out: &mut [i16]) -> bool {
        let Some(inner) = self.inner.as_mut().filter(|_| !next.is_empty()) else { return false };
        inner.decode(next, out, true).is_ok_and(|samples| samples == out.len())
    }

    /// Fills `out` (a multiple of [`GRAIN`]) with what might have been; in a pause, that is the noise in the
    /// background.
    pub fn conceal(&mut self, out: &mut [i16]) -> bool {
        self.inner.as_mut().is_some_and(|inner| inner.decode(&[], out, false).is_ok_and(|samples| samples == out.len()))
    }
}
