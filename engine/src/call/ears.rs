//! What one frame of the caller's side holds: a voice, the agent's echo, somebody far from the telephone.
//! What a voice means for the conversation is the listener's and the conversation's business.

use crate::audio::FRAME_SAMPLES;
use crate::audio::background::Background;
use crate::audio::echo::EchoWatch;
use crate::audio::pitch::best_lag;
use crate::audio::vad::{Voice, VoiceDetector};

/// How much quieter than the caller a sound over the agent's voice must be to be ignored, and how much quieter a voice
/// must be not to be the caller's, dB.
const IGNORED_DB: f32 = 15.0;
const DISTANT_DB: f32 = 11.0;

/// A frame this much quieter than the caller is the end of a word, however long the detector remembers the word, dB.
const FADED_DB: f32 = 24.0;

/// From a line's noise so much quieter than the caller on, dB, other voices may be in it: who does not stand out from what
/// is behind the caller is not the caller.
const NOISY_DB: f32 = 30.0;

/// Whoever is as loud as the caller is, give or take this, is the caller, dB.
const AS_LOUD_DB: f32 = 3.0;

/// Frames after a loud one that may be quiet: a word is not loud all through.
const NEAR_FRAMES: u32 = 3;

/// The caller's level before any of it was heard, dBov.
const USUAL_LEVEL_DBOV: f32 = -30.0;

/// How fast the known level follows louder and quieter voiced frames, per frame: it is that of the loud ones.
const LOUDER: f32 = 0.1;
const QUIETER: f32 = 0.01;

/// Frames after the agent's last sound in which its echo may still come (340 ms).
const ECHO_FRAMES: u32 = 17;

/// Samples compared for a pitch, and how alike they must be.
const PITCH_WINDOW: usize = 160;
const PITCHED: f32 = 0.55;

/// One frame of the caller's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerVoice {
    /// Somebody speaks. Over the agent's voice: not from far away, and it is no echo.
    pub voiced: bool,
    /// It is as loud as the caller is, give or take a frame, and it has a pitch. Only told over the agent's voice.
    pub near: bool,
    pub pitched: bool,
}

/// The ears of one call.
pub struct Ears {
    detector: VoiceDetector,
    background: Background,
    echo: EchoWatch,
    /// Level of the caller's voiced frames, dBov.
    level_dbov: f32,
    /// Frames for which the caller counts as near, after one that was loud enough.
    near_for: u32,
    /// Frames in which the agent may still be heard.
    agent_frames: u32,
    /// The frame before.
    before: [i16; FRAME_SAMPLES],
}

// === impl Ears ===

impl Default for Ears {
    fn default() -> Self {
        Self {
            detector: VoiceDetector::new(),
            background: Background::new(),
            echo: EchoWatch::default(),
            level_dbov: USUAL_LEVEL_DBOV,
            near_for: 0,
            agent_frames: 0,
            before: [0; FRAME_SAMPLES],
        }
    }
}

impl Ears {
    /// The caller's next 20 ms; `agent` is what the agent said in the 20 ms before, if anything, and `over_agent` that
    /// it is in the middle of something, though it may be silent now.
    pub fn hear(
        &mut self,
        caller: &[i16; FRAME_SAMPLES],
        agent: Option<&[i16; FRAME_SAMPLES]>,
        over_agent: bool,
    ) -> CallerVoice {
        let heard = self.listen(caller, agent, over_agent);
        self.before = *caller;
        heard
    }

    fn listen(
        &mut self,
        caller: &[i16; FRAME_SAMPLES],
        agent: Option<&[i16; FRAME_SAMPLES]>,
        over_agent: bool,
    ) -> CallerVoice {
        let voice = self.detector.push(caller);
        self.background.follow(voice.level_dbov);
        self.agent_frames =
            if over_agent || agent.is_some() { ECHO_FRAMES } else { self.agent_frames.saturating_sub(1) };
        if self.agent_frames == 0 {
            self.echo.rest();
            if voice.voiced {
                self.follow_level(voice);
            }
            // Where there is no noise to measure, the floor is that of the voice itself.
            let above_noise = self.detector.opens_at_dbov().min(self.level_dbov - FADED_DB / 2.0);
            let audible = above_noise.max(self.level_dbov - FADED_DB);
            let noisy = self.detector.noise_floor_dbov() > self.level_dbov - NOISY_DB;
            let as_loud = self.background.mean_dbov() >= self.level_dbov - AS_LOUD_DB;
            let stands_out = !noisy || as_loud || self.background.is_exceeded();
            let voiced = voice.voiced && voice.level_dbov >= audible && stands_out;
            return CallerVoice { voiced, near: false, pitched: false };
        }
        self.echo.said(agent.unwrap_or(&[0; FRAME_SAMPLES]));
        // Where the gate is closed there is nothing an echo could be mistaken for.
        let echo = self.detector.gate_is_open() && self.echo.heard(caller);
        let loud = voice.level_dbov > self.level_dbov - IGNORED_DB;
        let as_loud = voice.level_dbov > self.level_dbov - DISTANT_DB;
        self.near_for = if as_loud { NEAR_FRAMES } else { self.near_for.saturating_sub(1) };
        let near = voice.voiced && self.near_for > 0 && !echo;
        let voiced = near || (voice.voiced && loud && !echo);
        // The lags looked at reach into the frame before.
        let pitched = near && best_lag([self.before, *caller].as_flattened(), PITCH_WINDOW).likeness >= PITCHED;
        CallerVoice { voiced, near, pitched }
    }

    fn follow_level(&mut self, voice: Voice) {
        let rate = if voice.level_dbov > self.level_dbov { LOUDER } else { QUIETER };
        self.level_dbov += (voice.level_dbov - self.level_dbov) * rate;
    }
}
