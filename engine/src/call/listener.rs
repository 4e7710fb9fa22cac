//! The caller's side of turn-taking: when speech starts, when a turn ends, and the audio in between.
//! What is done about it is the conversation's business.

use std::time::Duration;

use bytes::Bytes;

use crate::audio::{FRAME_MS, FRAME_SAMPLES};
use crate::clock::Moment;

/// Frames kept from before speech was noticed (300 ms), so that a turn's first sound is not lost.
const PRE_ROLL_FRAMES: usize = 15;

/// Frames looked at to decide that speech started.
const ONSET_WINDOW: u32 = 10;

/// Voiced frames of the window that mean speech, while the agent is silent (100 ms).
const ONSET_QUIET: u32 = 5;

/// Voiced frames of the window that mean speech, while the agent speaks (160 ms): a click is no barge-in.
const ONSET_OVER_AGENT: u32 = 8;

/// Silence kept at the end of a turn's audio.
const TAIL: Duration = Duration::from_millis(240);

/// Longest turn; what is said beyond without a pause is not listened to.
const LONGEST_TURN: Duration = Duration::from_secs(30);

/// Audio of an unanswered turn that is kept when the caller goes on (20 s): the newest, so that no turn grows for ever.
const MOST_PREPENDED_BYTES: usize = 160_000;

/// Room for the first two seconds of a turn, so that few turns grow their buffer.
const FIRST_TURN_BYTES: usize = 16_000;

/// What a frame of the caller's audio changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noticed {
    Nothing,
    /// Speech began; the turn is being collected.
    SpeechStarted,
    /// The turn is over.
    TurnEnded(CallerTurn),
}

/// A caller's turn as it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerTurn {
    /// Law-encoded, 8 kHz, with some silence around the speech.
    pub audio: Bytes,
    /// How much of it is voiced.
    pub voiced_ms: u32,
    /// When the last voiced frame was heard.
    pub last_voiced: Moment,
}

/// Collects turns from 20 ms frames.
#[derive(Debug)]
pub struct Listener {
    /// Silence that ends a turn.
    endpointing: Duration,
    pre_roll: Box<[[u8; FRAME_SAMPLES]; PRE_ROLL_FRAMES]>,
    /// Next place in `pre_roll`.
    next: usize,
    /// Frames of `pre_roll` that hold audio from after the last turn.
    kept: usize,
    /// Voicing of the last frames, newest in bit 0.
    recent: u32,
    turn: Option<Collecting>,
    last_voiced: Moment,
    /// A voice that never pauses (a radio, music on hold) had its longest turn: wait for a pause, or for the agent.
    tired: bool,
}

#[derive(Debug)]
struct Collecting {
    audio: Vec<u8>,
    frames: u64,
    voiced_frames: u32,
    /// Length of `audio` up to the last voiced frame.
    voiced_bytes: usize,
}

// === impl Listener ===

impl Listener {
    pub fn new(endpointing: Duration, silence: u8) -> Self {
        Self {
            endpointing,
            pre_roll: Box::new([[silence; FRAME_SAMPLES]; PRE_ROLL_FRAMES]),
            next: 0,
            kept: 0,
            recent: 0,
            turn: None,
            last_voiced: Moment::default(),
            tired: false,
        }
    }

    /// One frame of the caller's audio, with what the voice detector says of it.
    pub fn push(&mut self, now: Moment, frame: &[u8; FRAME_SAMPLES], voiced: bool, agent_speaks: bool) -> Noticed {
        self.recent = (self.recent << 1) | u32::from(voiced);
        if voiced {
            self.last_voiced = now;
        }
        if self.turn.is_some() { self.collect(now, frame, voiced) } else { self.wait(now, frame, agent_speaks) }
    }

    /// True while a turn is being collected.
    pub fn is_collecting(&self) -> bool {
        self.turn.is_some()
    }

    /// Puts a turn's audio back in front of the one being collected: the caller went on after all.
    pub fn prepend(&mut self, earlier: &CallerTurn) {
        let Some(turn) = self.turn.as_mut() else { return };
        let kept = earlier.audio.slice(earlier.audio.len().saturating_sub(MOST_PREPENDED_BYTES)..);
        turn.voiced_bytes += kept.len();
        turn.voiced_frames += earlier.voiced_ms / FRAME_MS;
        turn.frames += (kept.len() / FRAME_SAMPLES) as u64;
        turn.audio.splice(..0, kept);
    }

    /// Forgets a turn in the making.
    pub fn reset(&mut self) {
        self.turn = None;
        self.recent = 0;
        self.kept = 0;
    }

    fn wait(&mut self, now: Moment, frame: &[u8; FRAME_SAMPLES], agent_speaks: bool) -> Noticed {
        self.pre_roll[self.next] = *frame;
        self.next = (self.next + 1) % PRE_ROLL_FRAMES;
        self.kept = (self.kept + 1).min(PRE_ROLL_FRAMES);
        if self.tired && !agent_speaks && now.since(self.last_voiced) < self.endpointing {
            return Noticed::Nothing;
        }
        self.tired = false;
        let window = (1 << ONSET_WINDOW) - 1;
        let needed = if agent_speaks { ONSET_OVER_AGENT } else { ONSET_QUIET };
        if (self.recent & window).count_ones() < needed {
            return Noticed::Nothing;
        }
        let mut audio = Vec::with_capacity(FIRST_TURN_BYTES);
        for back in (1..=self.kept).rev() {
            audio.extend_from_slice(&self.pre_roll[(self.next + PRE_ROLL_FRAMES - back) % PRE_ROLL_FRAMES]);
        }
        self.kept = 0;
        self.turn = Some(Collecting { voiced_bytes: audio.len(), audio, frames: 0, voiced_frames: needed });
        Noticed::SpeechStarted
    }

    fn collect(&mut self, now: Moment, frame: &[u8; FRAME_SAMPLES], voiced: bool) -> Noticed {
        let Some(turn) = self.turn.as_mut() else { return Noticed::Nothing };
        turn.audio.extend_from_slice(frame);
        turn.frames += 1;
        if voiced {
            turn.voiced_bytes = turn.audio.len();
            turn.voiced_frames += 1;
        }
        let silent = now.since(self.last_voiced) >= self.endpointing;
        let too_long = Duration::from_millis(turn.frames * u64::from(FRAME_MS)) >= LONGEST_TURN;
        if !silent && !too_long {
            return Noticed::Nothing;
        }
        let Some(mut turn) = self.turn.take() else { return Noticed::Nothing };
        let tail = TAIL.as_millis() as usize * FRAME_SAMPLES / FRAME_MS as usize;
        turn.audio.truncate(turn.voiced_bytes.saturating_add(tail));
        self.recent = 0;
        self.tired = !silent;
        Noticed::TurnEnded(CallerTurn {
            audio: turn.audio.into(),
            voiced_ms: turn.voiced_frames * FRAME_MS,
            last_voiced: self.last_voiced,
        })
    }
}
