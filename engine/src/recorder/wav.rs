//! A journal as a playable file: caller left, agent right, 8 kHz, 16 bit, gaps as silence.
//! The file appears under its name only when it is whole and on disk.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};

use super::Journal;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WavFile {
    pub duration_ms: u64,
    pub bytes: u64,
}

const SPEC: WavSpec = WavSpec { channels: 2, sample_rate: 8000, bits_per_sample: 16, sample_format: SampleFormat::Int };

/// Silence written at a time, samples of each channel.
const PIECE: u64 = 8000;

/// Writes `path` by way of a temporary file beside it.
pub(super) fn write_wav(journal: &Journal, path: &Path) -> io::Result<WavFile> {
    let temporary = path.with_extension("wav.part");
    let written = write_whole(journal, &temporary).and_then(|wav| {
        fs::rename(&temporary, path)?;
        if let Some(dir) = path.parent() {
            File::open(dir)?.sync_all()?;
        }
        Ok(wav)
    });
    if written.is_err() {
        // Best effort: the error that matters is the one returned.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_whole(journal: &Journal, path: &Path) -> io::Result<WavFile> {
    let file = File::create(path)?;
    let mut wav = WavWriter::new(BufWriter::with_capacity(256 * 1024, file.try_clone()?), SPEC).map_err(into_io)?;
    let mut position = 0u64;
    for block in &journal.blocks {
        // No block tells of what is silent: it sounds like the silence within one.
        let silence = block.law.decode(block.law.silence());
        while position < block.offset_samples {
            let piece = (block.offset_samples - position).min(PIECE);
            let mut samples = wav.get_i16_writer(2 * piece as u32);
            for _ in 0..2 * piece {
                samples.write_sample(silence);
            }
            samples.flush().map_err(into_io)?;
            position += piece;
        }

        let mut samples = wav.get_i16_writer(2 * block.caller.len() as u32);
        for (caller, agent) in block.caller.iter().zip(&block.agent) {
            samples.write_sample(block.law.decode(*caller));
            samples.write_sample(block.law.decode(*agent));
            position += 1;
        }
        samples.flush().map_err(into_io)?;
    }
    wav.finalize().map_err(into_io)?;
    file.sync_all()?;
    Ok(WavFile { duration_ms: position / 8, bytes: file.metadata()?.len() })
}

fn into_io(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other),
    }
}
