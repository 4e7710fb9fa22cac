//! One call's recording on its way out of the shard: frames gathered into blocks, blocks given to the recorder.
//! Files are the recorder's; what no block tells of is silence there, as are frames without a free block: nothing waits.

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
    /// Where the last block ended that was given away.
    told: u64,
    /// Begun when somebody is heard.
    block: Option<Box<RecordBlock>>,
}

// === impl Tape ===

impl Tape {
    pub fn new(recording: RecordingId, law: Law) -> Self {
        Self { recording, law, position: 0, told: 0, block: None }
    }

    /// Takes one tick's frames: what the caller said, what the agent said.
    pub fn take(&mut self, (caller, agent): (&[u8; FRAME_SAMPLES], &[u8; FRAME_SAMPLES]), tap: &mut ShardTap) {
        let offset = self.position;
        self.position += FRAME_SAMPLES as u64;
        if let Some(block) = self.block.as_mut() {
            if block.append(caller, agent) > 0 {
                if block.room() < FRAME_SAMPLES {
                    self.give_away(tap);
                }
                return;
            }
            // Somebody is heard who has no place in it.
            self.give_away(tap);
        }
        if self.law.is_silence(caller) && self.law.is_silence(agent) {
            return;
        }
        self.block = tap.try_block();
        if let Some(block) = self.block.as_mut() {
            block.begin(self.recording, offset, self.law);
            block.append(caller, agent);
        }
    }

    /// Nothing was heard or said for so many frames: the recording is silent for as long.
    pub fn pass_over(&mut self, frames: u32, tap: &mut ShardTap) {
        self.give_away(tap);
        self.position += u64::from(frames) * FRAME_SAMPLES as u64;
    }

    /// The call is over: gives away what is left, and tells how long it was silent at the end.
    pub fn finish(&mut self, tap: &mut ShardTap) {
        self.give_away(tap);
        if self.told < self.position
            && let Some(mut block) = tap.try_block()
        {
            let silence = [self.law.silence(); FRAME_SAMPLES];
            block.begin(self.recording, self.position - FRAME_SAMPLES as u64, self.law);
            block.append(&silence, &silence);
            tap.push(block);
        }
    }

    fn give_away(&mut self, tap: &mut ShardTap) {
        if let Some(block) = self.block.take() {
            self.told = block.offset_samples + block.samples() as u64;
            tap.push(block);
        }
    }
}

#[cfg(test)]
mod tests;
