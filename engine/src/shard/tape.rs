//! One call's recording on its way out of the shard: frames gathered into blocks, blocks given to the recorder.
//! Files are the recorder's; without a free block the frames are silence there, and nothing waits.

use crate::audio::FRAME_SAMPLES;
use crate::audio::g711::Law;
use crate::recorder::{RecordBlock, RecordingId, ShardTap};

/// Gathers a call's frames in the media clock.
#[derive(Debug)]
pub struct Tape {
    recording: RecordingId,
    law: Law,
    /// Samples since the recording's first.
    position: u64,
    block: Option<Box<RecordBlock>>,
}

// === impl Tape ===

impl Tape {
    pub fn new(recording: RecordingId, law: Law) -> Self {
        Self { recording, law, position: 0, block: None }
    }

    /// Takes one tick's frames: what the caller said, what the agent said.
    pub fn take(&mut self, (caller, agent): (&[u8; FRAME_SAMPLES], &[u8; FRAME_SAMPLES]), tap: &mut ShardTap) {
        let offset = self.position;
        self.position += FRAME_SAMPLES as u64;
        if let Some(block) = self.block.as_mut()
            && block.append(caller, agent) > 0
        {
            if block.room() < FRAME_SAMPLES {
                self.finish(tap);
            }
            return;
        }
        // Somebody is heard who has no place in it.
        self.finish(tap);
        self.block = tap.try_block();
        if let Some(block) = self.block.as_mut() {
            block.begin(self.recording, offset, self.law);
            block.append(caller, agent);
        }
    }

    /// Nothing was heard or said for so many frames: the recording is silent for as long.
    pub fn pass_over(&mut self, frames: u32, tap: &mut ShardTap) {
        self.finish(tap);
        self.position += u64::from(frames) * FRAME_SAMPLES as u64;
    }

    /// Gives away what was gathered so far.
    pub fn finish(&mut self, tap: &mut ShardTap) {
        if let Some(block) = self.block.take() {
            tap.push(block);
        }
    }
}

#[cfg(test)]
mod tests;
