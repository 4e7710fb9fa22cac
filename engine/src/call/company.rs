//! Whom the caller talks with: the agent, nobody for the moment, whoever rings, or another call this one is bridged to.
//! Which calls are bridged, and when a frame crosses over, is the shard's business.

use std::collections::VecDeque;

use crate::audio::FRAME_SAMPLES;
use crate::audio::ringback::Ringback;
use crate::call::frame_leg::LawFrame;

/// 20 ms of linear audio at 8 kHz.
pub type PcmFrame = [i16; FRAME_SAMPLES];

/// Keys that may wait to cross; a hand presses no faster than they leave.
const KEYS_WAITING: usize = 16;

/// What becomes of a call when the other side of its bridge is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenLeft {
    /// It ends too.
    HangUp,
    /// Its agent comes back.
    Agent,
}

/// What one bridged call hands the other, once a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    pub audio: PcmFrame,
    /// A key that was pressed.
    pub key: Option<char>,
}

/// Whom the caller talks with.
#[derive(Debug)]
pub(super) enum Company {
    Agent,
    /// The agent is silent and hears nothing: a call is being made, or the other party of a transfer.
    Nobody,
    /// The caller waits for somebody who is being called.
    Waiting(Box<Waiting>),
    Peer(Box<Bridge>),
}

/// What a caller hears who waits: how it rings, or what the other side sends before it answers (early media).
#[derive(Debug)]
pub(super) struct Waiting {
    tone: Ringback,
    early: bool,
    heard: Option<PcmFrame>,
}

/// One call's half of a bridge.
#[derive(Debug)]
pub(super) struct Bridge {
    /// Id of the other call.
    pub with: String,
    pub when_left: WhenLeft,
    /// The other side's last 20 ms, until a tick takes it.
    heard: Option<PcmFrame>,
    /// This side's last 20 ms, until the other side takes it.
    said: Option<PcmFrame>,
    keys: VecDeque<char>,
}

// === impl Company ===

impl Company {
    pub fn bridge(&mut self) -> Option<&mut Bridge> {
        match self {
            Self::Peer(bridge) => Some(bridge.as_mut()),
            Self::Agent | Self::Nobody | Self::Waiting(_) => None,
        }
    }
}

// === impl Waiting ===

impl Waiting {
    pub fn new(tone: Ringback) -> Self {
        Self { tone, early: false, heard: None }
    }

    /// The other side's next 20 ms; from the first on they are heard instead of the tone.
    pub fn hear(&mut self, audio: PcmFrame) {
        self.early = true;
        self.heard = Some(audio);
    }

    /// The next 20 ms: those of the other side if it sends any, else the tone, in `tone`. True if that sounds.
    pub fn next_frame(&mut self, tone: &mut LawFrame) -> (Option<PcmFrame>, bool) {
        if self.early {
            return (Some(self.heard.take().unwrap_or([0; FRAME_SAMPLES])), true);
        }
        (None, self.tone.next_frame(tone))
    }
}

// === impl Bridge ===

impl Bridge {
    pub fn new(with: String, when_left: WhenLeft) -> Self {
        Self { with, when_left, heard: None, said: None, keys: VecDeque::with_capacity(KEYS_WAITING) }
    }

    /// This side's next 20 ms are ready to cross; the other side's, silence if it has none.
    pub fn exchange(&mut self, said: &PcmFrame) -> PcmFrame {
        self.said = Some(*said);
        self.heard.take().unwrap_or([0; FRAME_SAMPLES])
    }

    pub fn press(&mut self, key: char) {
        if self.keys.len() < KEYS_WAITING {
            self.keys.push_back(key);
        }
    }

    pub fn hear(&mut self, audio: PcmFrame) {
        self.heard = Some(audio);
    }

    /// What is ready to cross; nothing before the next tick.
    pub fn take_crossing(&mut self) -> Option<Crossing> {
        let audio = self.said.take()?;
        Some(Crossing { audio, key: self.keys.pop_front() })
    }
}
