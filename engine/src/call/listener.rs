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

/// The same while the agent speaks: sooner, as the agent is only held then (80 ms of 120).
const ONSET_WINDOW_OVER_AGENT: u32 = 6;
pub const ONSET_OVER_AGENT: u32 = 4;

/// A voiced frame alone is a click: one of the three before it must be voiced too.
const NO_CLICK: u32 = 0b1110;

/// Most of a frame's time in the jitter buffer that counts as silence waited for.
const MOST_DELAY: Duration = Duration::from_millis(40);

/// How much earlier than its frame the caller's last sample came on average: packets and frames are not in step.
const OUT_OF_STEP: Duration = Duration::from_millis(FRAME_MS as u64 / 2);

/// The tick nearest to the end of a wait ends it, not the one after; a frame lasts from its tick to the next.
const TO_NEAREST_TICK: Duration = Duration::from_millis(FRAME_MS as u64 * 3 / 4);

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
    /// When the last voiced frame came.
    pub last_voiced: Moment,
}

/// A frame of the caller's as the listener takes it.
#[derive(Debug, Clone, Copy)]
pub struct HeardFrame<'a> {
    /// Law-encoded audio.
    pub audio: &'a [u8; FRAME_SAMPLES],
    pub voiced: bool,
    /// How long it lay in the jitter buffer.
    pub delay: Duration,
    /// The agent is in the middle of an utterance.
    pub agent_speaks: bool,
}

/// Collects turns from 20 ms frames.
#[derive(Debug)]
pub struct Listener {
    /// Silence that ends the turn, and a turn of which nothing is known.
    wait: Duration,
    usual: Duration,
    silence: u8,
    pre_roll: Box<[[u8; FRAME_SAMPLES]; PRE_ROLL_FRAMES]>,
    /// Next place in `pre_roll`.
    next: usize,
    /// Frames of `pre_roll` that hold audio from after the last turn.
    kept: usize,
    /// Voicing of the last frames, newest in bit 0.
    recent: u32,
    turn: Option<Collecting>,
    /// When the last voiced frame came: it arrived before it was heard.
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
    pub fn new(usual: Duration, silence: u8) -> Self {
        Self {
            wait: usual,
            usual,
            silence,
            pre_roll: Box::new([[silence; FRAME_SAMPLES]; PRE_ROLL_FRAMES]),
            next: 0,
            kept: 0,
            recent: 0,
            turn: None,
            last_voiced: Moment::default(),
            tired: false,
        }
    }

    /// The next 20 ms of the caller's.
    pub fn push(&mut self, now: Moment, frame: HeardFrame<'_>) -> Noticed {
        self.recent = (self.recent << 1) | u32::from(frame.voiced);
        if frame.voiced && self.recent & NO_CLICK != 0 {
            let early = (frame.delay.min(MOST_DELAY) + OUT_OF_STEP).as_micros() as u64;
            self.last_voiced = Moment(now.0.saturating_sub(early));
        }
        if self.turn.is_some() { self.collect(now, frame) } else { self.wait(now, frame) }
    }

    /// Silence of this length ends the turn being collected; the usual one ends the next.
    pub fn wait_for(&mut self, silence: Duration) {
        self.wait = silence;
    }

    /// The same as for a turn of which nothing is known.
    pub fn wait_as_usual(&mut self) {
        self.wait = self.usual;
    }

    /// When the caller's last voiced frame came.
    pub fn last_voiced(&self) -> Moment {
        self.last_voiced
    }

    /// Voiced audio of the turn being collected.
    pub fn voiced_ms(&self) -> u32 {
        self.turn.as_ref().map_or(0, |turn| turn.voiced_frames * FRAME_MS)
    }

    /// The turn being collected, as if it ended here.
    pub fn so_far(&self) -> Option<CallerTurn> {
        let turn = self.turn.as_ref()?;
        let end = turn.end();
        let mut audio = Vec::with_capacity(end);
        audio.extend_from_slice(turn.audio.get(..end).unwrap_or(&turn.audio));
        audio.resize(end, self.silence);
        Some(CallerTurn {
            audio: audio.into(),
            voiced_ms: turn.voiced_frames * FRAME_MS,
            last_voiced: self.last_voiced,
        })
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
        self.wait = self.usual;
        self.recent = 0;
        self.kept = 0;
    }

    fn wait(&mut self, now: Moment, frame: HeardFrame<'_>) -> Noticed {
        self.pre_roll[self.next] = *frame.audio;
        self.next = (self.next + 1) % PRE_ROLL_FRAMES;
        self.kept = (self.kept + 1).min(PRE_ROLL_FRAMES);
        if self.tired && !frame.agent_speaks && now.since(self.last_voiced) < self.usual {
            return Noticed::Nothing;
        }
        self.tired = false;
        let (window, needed) = match frame.agent_speaks {
            true => (ONSET_WINDOW_OVER_AGENT, ONSET_OVER_AGENT),
            false => (ONSET_WINDOW, ONSET_QUIET),
        };
        if (self.recent & ((1 << window) - 1)).count_ones() < needed {
            return Noticed::Nothing;
        }
        let mut audio = Vec::with_capacity(FIRST_TURN_BYTES);
        for back in (1..=self.kept).rev() {
            audio.extend_from_slice(&self.pre_roll[(self.next + PRE_ROLL_FRAMES - back) % PRE_ROLL_FRAMES]);
        }
        self.kept = 0;
        self.wait = self.usual;
        self.turn = Some(Collecting { voiced_bytes: audio.len(), audio, frames: 0, voiced_frames: needed });
        Noticed::SpeechStarted
    }

    fn collect(&mut self, now: Moment, frame: HeardFrame<'_>) -> Noticed {
        let Some(turn) = self.turn.as_mut() else { return Noticed::Nothing };
        turn.audio.extend_from_slice(frame.audio);
        turn.frames += 1;
        if frame.voiced {
            turn.voiced_bytes = turn.audio.len();
            turn.voiced_frames += 1;
        }
        let silent = now.since(self.last_voiced) + TO_NEAREST_TICK >= self.wait;
        let too_long = Duration::from_millis(turn.frames * u64::from(FRAME_MS)) >= LONGEST_TURN;
        if !silent && !too_long {
            return Noticed::Nothing;
        }
        let Some(mut turn) = self.turn.take() else { return Noticed::Nothing };
        turn.audio.truncate(turn.end());
        self.recent = 0;
        self.tired = !silent;
        Noticed::TurnEnded(CallerTurn {
            audio: turn.audio.into(),
            voiced_ms: turn.voiced_frames * FRAME_MS,
            last_voiced: self.last_voiced,
        })
    }
}

// === impl Collecting ===

impl Collecting {
    /// Length of the audio with the silence that is kept behind the last voiced frame.
    fn end(&self) -> usize {
        self.voiced_bytes + TAIL.as_millis() as usize * FRAME_SAMPLES / FRAME_MS as usize
    }
}
