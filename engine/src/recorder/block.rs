//! A quarter of a second of a call as it travels from a shard to the recorder: both channels, law-encoded.
//! Rings and files are elsewhere.

use crate::audio::g711::Law;

/// Most samples a block holds per channel: 240 ms at 8 kHz, as many whole frames as fit 4 kB with the other channel's.
pub const BLOCK_SAMPLES: usize = 1920;

/// Names one recording within this process; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordingId(pub u32);

/// Both channels of a call from [`RecordBlock::offset_samples`] on. Boxed and recycled: 4 kB.
#[derive(Debug, Clone)]
pub struct RecordBlock {
    pub recording: RecordingId,
    /// Where the block begins, in samples (1/8000 s) since the recording's first.
    pub offset_samples: u64,
    /// Law of both channels. When a call changes its codec, the block ends early and the next has the new law.
    pub law: Law,
    /// Valid samples in each channel, at most [`BLOCK_SAMPLES`].
    samples: usize,
    caller: [u8; BLOCK_SAMPLES],
    agent: [u8; BLOCK_SAMPLES],
}

// === impl RecordBlock ===

impl RecordBlock {
    /// A block that belongs to nobody yet.
    pub(crate) fn empty() -> Box<Self> {
        let silence = Law::Mu.silence();
        Box::new(Self {
            recording: RecordingId(0),
            offset_samples: 0,
            law: Law::Mu,
            samples: 0,
            caller: [silence; BLOCK_SAMPLES],
            agent: [silence; BLOCK_SAMPLES],
        })
    }

    /// Makes a recycled block the beginning of a new piece.
    pub fn begin(&mut self, recording: RecordingId, offset_samples: u64, law: Law) {
        self.recording = recording;
        self.offset_samples = offset_samples;
        self.law = law;
        self.samples = 0;
    }

    /// Appends the same stretch of both channels; takes as much as fits and as both have, returns how many samples.
    pub fn append(&mut self, caller: &[u8], agent: &[u8]) -> usize {
        let taken = self.room().min(caller.len()).min(agent.len());
        let place = self.samples..self.samples + taken;
        for (channel, samples) in [(&mut self.caller, caller), (&mut self.agent, agent)] {
            if let (Some(free), Some(samples)) = (channel.get_mut(place.clone()), samples.get(..taken)) {
                free.copy_from_slice(samples);
            }
        }
        self.samples += taken;
        taken
    }

    /// Samples that still fit.
    pub fn room(&self) -> usize {
        BLOCK_SAMPLES - self.samples
    }

    pub fn is_full(&self) -> bool {
        self.room() == 0
    }

    pub fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// The caller's law bytes.
    pub fn caller(&self) -> &[u8] {
        &self.caller[..self.samples]
    }

    /// The agent's law bytes, as many as the caller's.
    pub fn agent(&self) -> &[u8] {
        &self.agent[..self.samples]
    }
}
