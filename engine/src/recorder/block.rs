//! A piece of a call as it travels from a shard to the recorder: both channels, law-encoded, or the one that is heard.
//! Rings and files are elsewhere.

use crate::audio::g711::Law;

/// Bytes a block holds, of one channel or of both.
const BLOCK_BYTES: usize = 1920;

/// Most samples a block holds of each channel if both are heard: 120 ms at 8 kHz. Of one alone it holds twice as many.
pub const BLOCK_SAMPLES: usize = BLOCK_BYTES / 2;

/// Names one recording within this process; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordingId(pub u32);

/// What was said in a call from [`RecordBlock::offset_samples`] on. Boxed and recycled: 2 kB.
#[derive(Debug, Clone)]
pub struct RecordBlock {
    pub recording: RecordingId,
    /// Where the block begins, in samples (1/8000 s) since the recording's first.
    pub offset_samples: u64,
    /// Law of both channels.
    pub law: Law,
    /// Valid samples in each channel.
    samples: usize,
    /// Whether there is a channel of the caller's, of the agent's. One that is silent all along has no place.
    caller_heard: bool,
    agent_heard: bool,
    /// The caller's channel, and from the middle on the agent's; if there is but one, that.
    bytes: [u8; BLOCK_BYTES],
}

// === impl RecordBlock ===

impl RecordBlock {
    /// A block that belongs to nobody yet.
    pub(crate) fn empty() -> Box<Self> {
        Box::new(Self {
            recording: RecordingId(0),
            offset_samples: 0,
            law: Law::Mu,
            samples: 0,
            caller_heard: false,
            agent_heard: false,
            bytes: [0; BLOCK_BYTES],
        })
    }

    /// Makes a recycled block the beginning of a new piece.
    pub fn begin(&mut self, recording: RecordingId, offset_samples: u64, law: Law) {
        self.recording = recording;
        self.offset_samples = offset_samples;
        self.law = law;
        self.samples = 0;
        (self.caller_heard, self.agent_heard) = (false, false);
    }

    /// Appends the same stretch of both channels; takes as much as fits and as both have, returns how many samples.
    /// What comes first decides which channels there are: none are taken in which another one is heard.
    pub fn append(&mut self, caller: &[u8], agent: &[u8]) -> usize {
        let (caller_heard, agent_heard) = (!self.law.is_silence(caller), !self.law.is_silence(agent));
        if self.samples == 0 {
            (self.caller_heard, self.agent_heard) = (caller_heard, agent_heard);
        } else if (caller_heard && !self.caller_heard) || (agent_heard && !self.agent_heard) {
            return 0;
        }
        let taken = self.room().min(caller.len()).min(agent.len());
        let channels = [(self.caller_heard, 0, caller), (self.agent_heard, self.agent_start(), agent)];
        for (_, start, samples) in channels.into_iter().filter(|(heard, ..)| *heard) {
            let place = start + self.samples;
            if let (Some(free), Some(samples)) = (self.bytes.get_mut(place..place + taken), samples.get(..taken)) {
                free.copy_from_slice(samples);
            }
        }
        self.samples += taken;
        taken
    }

    /// Samples that still fit.
    pub fn room(&self) -> usize {
        let most = if self.caller_heard && self.agent_heard { BLOCK_SAMPLES } else { BLOCK_BYTES };
        most - self.samples
    }

    pub fn is_full(&self) -> bool {
        self.room() == 0
    }

    /// Samples in each channel.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The caller's law bytes; `None` if nothing is heard of the caller.
    pub fn caller(&self) -> Option<&[u8]> {
        if self.caller_heard { self.bytes.get(..self.samples) } else { None }
    }

    /// The agent's law bytes; `None` if nothing is heard of the agent.
    pub fn agent(&self) -> Option<&[u8]> {
        let start = self.agent_start();
        if self.agent_heard { self.bytes.get(start..start + self.samples) } else { None }
    }

    fn agent_start(&self) -> usize {
        if self.caller_heard { BLOCK_SAMPLES } else { 0 }
    }
}
