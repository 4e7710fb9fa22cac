//! A finished recording as Ogg-Opus (RFC 6716, RFC 7845): caller left, agent right, as long to the sample as the WAV.
//! When to compress, and what becomes of both files, is `archive`'s.
//!
//! The same WAV and call id give the same bytes: done again after a crash, it is still the same file.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader};
use ogg::{PacketWriteEndInfo, PacketWriter};
use opus::{Application, Bitrate, Channels, Encoder, Signal};
use thiserror::Error;

/// Samples per channel in a packet: 20 ms at 8 kHz.
const FRAME_SAMPLES: u32 = 160;
/// Granule positions count 48 kHz samples, whatever the input's rate (RFC 7845 section 4).
const GRANULES_A_SAMPLE: u64 = 6;
/// A page a second: players seek by pages (RFC 7845 section 6 asks for no longer ones).
const PACKETS_A_PAGE: u64 = 50;
/// Both channels together. Speech at 8 kHz correlates 0.99 with the original, and one channel is 75 dB down in the other.
const BITS_A_SECOND: i32 = 32_000;
/// Of 10. A minute of a call costs 0.23 s of one core; 9 costs a third more and gains nothing anybody hears.
const COMPLEXITY: i32 = 5;
/// As libopus recommends; no packet of 20 ms comes near.
const MAX_PACKET_BYTES: usize = 4000;

/// Why a recording could not be compressed. The WAV is where it was.
#[derive(Debug, Error)]
pub enum CompressError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: hound::Error },
    #[error("{} is no recording: {found}, not 2 channels, 8000 Hz, 16 bit", path.display())]
    NotARecording { path: PathBuf, found: String },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot encode {}: {source}", path.display())]
    Encode { path: PathBuf, source: opus::Error },
    #[error("told to stop")]
    Stopped,
}

/// What was compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compressed {
    /// Samples per channel, at 8 kHz.
    pub samples: u64,
}

/// Writes `ogg` by way of a temporary file beside it: it appears under its name only when it is whole and on disk.
/// Memory does not grow with the call. `stop` is asked once a second of audio.
///
/// # Errors
/// [`CompressError`] naming the file.
pub fn compress(wav: &Path, ogg: &Path, call_id: &str, stop: impl Fn() -> bool) -> Result<Compressed, CompressError> {
    let temporary = ogg.with_extension("ogg.part");
    let failed = |source| CompressError::Write { path: ogg.to_owned(), source };
    let compressed = write_whole(wav, &temporary, call_id, stop).and_then(|compressed| {
        fs::rename(&temporary, ogg).map_err(failed)?;
        if let Some(dir) = ogg.parent() {
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        }
        Ok(compressed)
    });
    if compressed.is_err() {
        // Best effort: the error that matters is the one returned.
        let _ = fs::remove_file(&temporary);
    }
    compressed
}

fn write_whole(wav: &Path, ogg: &Path, call_id: &str, stop: impl Fn() -> bool) -> Result<Compressed, CompressError> {
    let unreadable = |source| CompressError::Read { path: wav.to_owned(), source };
    let unwritable = |source| CompressError::Write { path: ogg.to_owned(), source };
    let unencodable = |source| CompressError::Encode { path: wav.to_owned(), source };

    let mut samples = open(wav)?;
    let total = u64::from(samples.duration());
    let mut interleaved = samples.samples::<i16>();
    let (mut encoder, lookahead) = encoder().map_err(unencodable)?;
    let file = File::create(ogg).map_err(unwritable)?;
    let mut stream = Stream::begin(&file, call_id, lookahead).map_err(unwritable)?;

    // The encoder's delay comes on top: without the frames that push it out, the end of the call would be missing.
    let packets = (total + lookahead).div_ceil(u64::from(FRAME_SAMPLES));
    let mut frame = [0i16; 2 * FRAME_SAMPLES as usize];
    for packet in 1..=packets {
        if packet % PACKETS_A_PAGE == 0 && stop() {
            return Err(CompressError::Stopped);
        }
        for sample in &mut frame {
            *sample = interleaved.next().transpose().map_err(unreadable)?.unwrap_or(0);
        }
        let encoded = encoder.encode_vec(&frame, MAX_PACKET_BYTES).map_err(unencodable)?;
        if packet == packets {
            stream.end(encoded, total).map_err(unwritable)?;
        } else {
            stream.packet(encoded, packet).map_err(unwritable)?;
        }
    }
    stream.out.into_inner().flush().map_err(unwritable)?;
    file.sync_all().map_err(unwritable)?;
    Ok(Compressed { samples: total })
}

fn open(wav: &Path) -> Result<WavReader<BufReader<File>>, CompressError> {
    let reader = WavReader::open(wav).map_err(|source| CompressError::Read { path: wav.to_owned(), source })?;
    let spec = reader.spec();
    if (spec.channels, spec.sample_rate, spec.bits_per_sample, spec.sample_format) == (2, 8000, 16, SampleFormat::Int) {
        return Ok(reader);
    }
    let found = format!("{} channels, {} Hz, {} bit", spec.channels, spec.sample_rate, spec.bits_per_sample);
    Err(CompressError::NotARecording { path: wav.to_owned(), found })
}

/// The encoder, and the samples it lags behind. Not `Voip`: that filters, and what was said shall be heard as it was.
fn encoder() -> Result<(Encoder, u64), opus::Error> {
    let mut encoder = Encoder::new(8000, Channels::Stereo, Application::Audio)?;
    encoder.set_bitrate(Bitrate::Bits(BITS_A_SECOND))?;
    encoder.set_vbr(true)?;
    encoder.set_complexity(COMPLEXITY)?;
    encoder.set_signal(Signal::Voice)?;
    // Two people are not one voice in a room: they are never mixed to save bits.
    encoder.set_force_channels(Some(Channels::Stereo))?;
    let lookahead = u64::try_from(encoder.get_lookahead()?).unwrap_or(0);
    Ok((encoder, lookahead))
}

/// The logical bitstream of one recording.
struct Stream<'a> {
    out: PacketWriter<'a, BufWriter<&'a File>>,
    serial: u32,
    /// Granules the decoder throws away at the beginning.
    pre_skip: u64,
}

// === impl Stream ===

impl<'a> Stream<'a> {
    /// Writes both header pages. `lookahead` in samples.
    fn begin(file: &'a File, call_id: &str, lookahead: u64) -> io::Result<Self> {
        let pre_skip = lookahead * GRANULES_A_SAMPLE;
        let mut out = PacketWriter::new(BufWriter::with_capacity(64 * 1024, file));
        let serial = crc32fast::hash(call_id.as_bytes());
        out.write_packet(opus_head(u16::try_from(pre_skip).unwrap_or(0)), serial, PacketWriteEndInfo::EndPage, 0)?;
        out.write_packet(opus_tags(call_id), serial, PacketWriteEndInfo::EndPage, 0)?;
        Ok(Self { out, serial, pre_skip })
    }

    /// The `number`th packet, counted from 1.
    fn packet(&mut self, packet: Vec<u8>, number: u64) -> io::Result<()> {
        let granules = number * u64::from(FRAME_SAMPLES) * GRANULES_A_SAMPLE;
        let end = number.is_multiple_of(PACKETS_A_PAGE);
        let end = if end { PacketWriteEndInfo::EndPage } else { PacketWriteEndInfo::NormalPacket };
        self.out.write_packet(packet, self.serial, end, granules)
    }

    /// The last packet of a call of `samples`: the granule position says where in it the call ends (RFC 7845
    /// section 4.4).
    fn end(&mut self, packet: Vec<u8>, samples: u64) -> io::Result<()> {
        let granules = self.pre_skip + samples * GRANULES_A_SAMPLE;
        self.out.write_packet(packet, self.serial, PacketWriteEndInfo::EndStream, granules)
    }
}

/// RFC 7845 section 5.1.
fn opus_head(pre_skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead".to_vec();
    head.push(1); // version
    head.push(2); // channels
    head.extend_from_slice(&pre_skip.to_le_bytes());
    head.extend_from_slice(&8000u32.to_le_bytes()); // input sample rate, Hz
    head.extend_from_slice(&0i16.to_le_bytes()); // output gain
    head.push(0); // channel mapping family: left, right
    head
}

/// RFC 7845 section 5.2.
fn opus_tags(call_id: &str) -> Vec<u8> {
    let title = format!("TITLE={call_id}");
    let vendor = opus::version();
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&(vendor.len() as u32).to_le_bytes());
    tags.extend_from_slice(vendor.as_bytes());
    tags.extend_from_slice(&1u32.to_le_bytes());
    tags.extend_from_slice(&(title.len() as u32).to_le_bytes());
    tags.extend_from_slice(title.as_bytes());
    tags
}

#[cfg(test)]
mod tests;
