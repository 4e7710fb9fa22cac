//! The recording's form on disk while the call lasts: a header, then blocks, each closed by a CRC-32.
//! Reading never trusts the bytes: it stops at the first block that is torn or makes no sense.
//!
//! All numbers are little-endian.
//! Header: `TANDEMRJ`, version u16, length u32 of the JSON that follows (`RecordingMeta`), JSON, CRC-32 of all before.
//! Block: `BLK1`, offset u64 (samples), count u16 (samples), law u8 (bit 0: 0 µ, 1 A; bit 1, bit 2: the caller, the agent is
//! silent, and that channel's bytes are left out), caller bytes, agent bytes, CRC-32. Version 1 left out none.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::path::Path;

use thiserror::Error;

use crate::audio::g711::Law;

use super::{RecordBlock, RecordingMeta};

const MAGIC: &[u8; 8] = b"TANDEMRJ";
const VERSION: u16 = 2;
/// Versions that can be read.
const KNOWN: RangeInclusive<u16> = 1..=VERSION;
const BLOCK_MAGIC: &[u8; 4] = b"BLK1";
const A_LAW: u8 = 1;
const CALLER_SILENT: u8 = 2;
const AGENT_SILENT: u8 = 4;
/// More than any `From` and `To` need; bounds what a damaged length can ask for.
const MAX_META_BYTES: usize = 64 * 1024;
/// More than a block holds: blocks were longer once, and a journal may be from then.
const MAX_BLOCK_SAMPLES: usize = 4000;
/// 24 hours: no offset beyond it is believed, so that a damaged one cannot ask for a disk full of silence.
const MAX_SAMPLES: u64 = 24 * 3600 * 8000;

/// A journal as read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    pub meta: RecordingMeta,
    pub blocks: Vec<JournalBlock>,
    /// Bytes at the end that belong to no whole block: 0 unless the writer died or the disk failed.
    pub torn_bytes: usize,
}

/// One block; `caller` and `agent` have the same length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalBlock {
    /// Samples since the recording's first.
    pub offset_samples: u64,
    pub law: Law,
    pub caller: Vec<u8>,
    pub agent: Vec<u8>,
}

/// Why a journal cannot be read at all. A damaged end is not an error: see [`Journal::torn_bytes`].
#[derive(Debug, Error)]
pub enum JournalError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("not a recording journal: it does not begin with TANDEMRJ")]
    NotAJournal,
    #[error("journal version {found} is not known; this node knows 1 to {VERSION}")]
    UnknownVersion { found: u16 },
    #[error("the header is torn or damaged")]
    TornHeader,
}

/// Appends to one journal. After a failed write the file ends where it ended before.
pub(super) struct JournalWriter {
    file: File,
    length: u64,
}

// === impl JournalWriter ===

impl JournalWriter {
    /// Makes the file, which must not exist yet, and writes the header.
    pub(super) fn create(path: &Path, meta: &RecordingMeta) -> io::Result<Self> {
        let file = File::options().create_new(true).write(true).open(path)?;
        let mut writer = Self { file, length: 0 };
        if let Err(error) = encode_header(meta).and_then(|header| writer.append(&header)) {
            // A journal without a header is worth nothing to anybody.
            let _ = fs::remove_file(path);
            return Err(error);
        }
        Ok(writer)
    }

    /// `encoded` is room for the block as it is written.
    pub(super) fn write(&mut self, block: &RecordBlock, encoded: &mut Vec<u8>) -> io::Result<()> {
        encode_block(block, encoded);
        self.append(encoded)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a block would hide every later one from the reader. Should this fail too, the error that
                // began it is still the one worth telling.
                let _ = self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
                Err(error)
            }
        }
    }
}

fn encode_header(meta: &RecordingMeta) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(meta)?;
    if json.len() > MAX_META_BYTES {
        return Err(io::Error::other(format!("{} bytes of From and To are too many to record", json.len())));
    }
    let mut header = Vec::with_capacity(json.len() + 18);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&(json.len() as u32).to_le_bytes());
    header.extend_from_slice(&json);
    let crc = crc32fast::hash(&header);
    header.extend_from_slice(&crc.to_le_bytes());
    Ok(header)
}

fn encode_block(block: &RecordBlock, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(BLOCK_MAGIC);
    out.extend_from_slice(&block.offset_samples.to_le_bytes());
    out.extend_from_slice(&(block.samples() as u16).to_le_bytes());
    let channels = [(block.caller(), CALLER_SILENT), (block.agent(), AGENT_SILENT)];
    let law = if block.law == Law::A { A_LAW } else { 0 };
    out.push(channels.iter().filter(|(bytes, _)| bytes.is_none()).fold(law, |kind, (_, silent)| kind | silent));
    for bytes in channels.iter().filter_map(|(bytes, _)| *bytes) {
        out.extend_from_slice(bytes);
    }
    let crc = crc32fast::hash(out);
    out.extend_from_slice(&crc.to_le_bytes());
}

/// Reads a journal from memory: everything up to the first byte that does not fit.
pub fn read_journal(bytes: &[u8]) -> Result<Journal, JournalError> {
    let mut rest = bytes;
    let meta = read_header(bytes, &mut rest)?;
    let mut blocks = Vec::new();
    let mut end_samples = 0;
    while let Some((block, after)) = read_block(rest, end_samples) {
        end_samples = block.offset_samples + block.caller.len() as u64;
        blocks.push(block);
        rest = after;
    }
    Ok(Journal { meta, blocks, torn_bytes: rest.len() })
}

fn read_header(bytes: &[u8], rest: &mut &[u8]) -> Result<RecordingMeta, JournalError> {
    if take(rest, MAGIC.len()) != Some(MAGIC.as_slice()) {
        return Err(JournalError::NotAJournal);
    }
    let version = take_array(rest).map(u16::from_le_bytes).ok_or(JournalError::TornHeader)?;
    if !KNOWN.contains(&version) {
        return Err(JournalError::UnknownVersion { found: version });
    }
    let length = take_array(rest).map(u32::from_le_bytes).ok_or(JournalError::TornHeader)? as usize;
    let json = take(rest, length).ok_or(JournalError::TornHeader)?;
    let covered = bytes.get(..bytes.len() - rest.len()).ok_or(JournalError::TornHeader)?;
    let crc = take_array(rest).map(u32::from_le_bytes).ok_or(JournalError::TornHeader)?;
    if crc != crc32fast::hash(covered) {
        return Err(JournalError::TornHeader);
    }
    serde_json::from_slice(json).map_err(|_| JournalError::TornHeader)
}

/// The next block and what follows it; `None` at the end and at anything that is not a whole, sensible block.
fn read_block(bytes: &[u8], end_samples: u64) -> Option<(JournalBlock, &[u8])> {
    let mut rest = bytes;
    if take(&mut rest, BLOCK_MAGIC.len())? != BLOCK_MAGIC {
        return None;
    }
    let offset_samples = take_array(&mut rest).map(u64::from_le_bytes)?;
    let count = usize::from(take_array(&mut rest).map(u16::from_le_bytes)?);
    let [kind] = take_array(&mut rest)?;
    let law = if kind & A_LAW == 0 { Law::Mu } else { Law::A };
    if kind > A_LAW | CALLER_SILENT | AGENT_SILENT {
        return None;
    }
    if count > MAX_BLOCK_SAMPLES || offset_samples < end_samples || offset_samples > MAX_SAMPLES {
        return None;
    }
    let mut channel = |silent| match kind & silent {
        0 => take(&mut rest, count).map(<[u8]>::to_vec),
        _ => Some(vec![law.silence(); count]),
    };
    let (caller, agent) = (channel(CALLER_SILENT)?, channel(AGENT_SILENT)?);
    let covered = bytes.get(..bytes.len() - rest.len())?;
    let crc = take_array(&mut rest).map(u32::from_le_bytes)?;
    (crc == crc32fast::hash(covered)).then_some((JournalBlock { offset_samples, law, caller, agent }, rest))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(taken)
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    take(rest, N)?.try_into().ok()
}
