//! Whom the caller talks with: the agent, nobody for the moment, whoever rings, or another call this one is bridged to.
//! Which calls are bridged, and when a frame crosses over, is the shard's business.

use std::collections::VecDeque;

use edge_protocol::{EndCause, EventKind};

use super::Call;
use super::frame_leg::LawFrame;
use crate::audio::FRAME_SAMPLES;
use crate::audio::ringback::Ringback;
use crate::clock::Moment;

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

// === impl Call ===

impl Call {
    /// From here on the caller hears the other call instead of the agent, which keeps what it knows.
    pub fn bridge(&mut self, now: Moment, with: &str, when_left: WhenLeft) {
        self.conversation.pause(now, &mut self.out);
        let bridge = Box::new(Bridge::new(with.to_owned(), when_left));
        let before = std::mem::replace(&mut self.company, Company::Peer(bridge));
        if let Company::Peer(bridge) = before {
            self.out.event(now, EventKind::Unbridged { with: bridge.with });
        }
        self.out.event(now, EventKind::Bridged { with: with.to_owned() });
    }

    /// The call it was bridged to is gone: this one ends, or its agent comes back.
    pub fn peer_left(&mut self, now: Moment) {
        let Company::Peer(bridge) = std::mem::replace(&mut self.company, Company::Nobody) else { return };
        self.out.event(now, EventKind::Unbridged { with: bridge.with });
        match bridge.when_left {
            WhenLeft::HangUp => self.out.hang_up(EndCause::PeerHungUp),
            WhenLeft::Agent => {
                self.company = Company::Agent;
                self.conversation.resume(now);
            }
        }
    }

    /// What is ready to cross the bridge after a tick.
    pub fn take_crossing(&mut self) -> Option<Crossing> {
        self.company.bridge()?.take_crossing()
    }

    /// What crossed the bridge; it is heard with the next tick.
    pub fn hear_peer(&mut self, crossing: Crossing) {
        if let Some(bridge) = self.company.bridge() {
            bridge.hear(crossing.audio);
            if let Some(key) = crossing.key {
                // More keys than may wait are more than anybody presses.
                let _ = self.key_sender.press(key.encode_utf8(&mut [0; 4]));
            }
        }
    }

    /// What the other side sends, of a call that is being made; nothing before its first packet.
    pub fn early_media(&self) -> Option<PcmFrame> {
        self.learned_source().map(|_| self.caller_frame.map(|byte| self.law.decode(byte)))
    }

    /// What is sent by whom the caller waits for; it is heard with the next tick.
    pub fn hear_early(&mut self, audio: PcmFrame) {
        if let Company::Waiting(waiting) = &mut self.company {
            waiting.hear(audio);
        }
    }
}
