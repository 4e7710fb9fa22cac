//! Keys the agent presses: one after the other, with pauses, while the agent's voice waits.
//! As events, as tones or by signalling is what the line agreed on; their packets and their sound are `audio::dtmf` and `dtmf_tones`.

use std::collections::VecDeque;

use thiserror::Error;

use crate::audio::FRAME_SAMPLES;
use crate::audio::dtmf::{DtmfSender, EventPacket};
use crate::audio::dtmf_tones::ToneSender;

/// Keys that may wait: more than any number has.
const MOST_KEYS: usize = 64;
/// Length of an event, ms: what most receivers are content with, and as long as a tone here.
pub const EVENT_MS: u32 = 100;
/// The same in frames, for a key that is told and not heard.
const EVENT_FRAMES: u8 = 5;
/// Frames between two keys (100 ms), and for a comma (500 ms), as dial strings write a pause.
const PAUSE_FRAMES: u8 = 5;
const COMMA_FRAMES: u8 = 25;

/// Why keys cannot be pressed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeysError {
    #[error("{0:?} is no key: 0-9, *, #, A-D, or a comma for a pause")]
    NoKey(char),
    #[error("more than {MOST_KEYS} keys are waiting to be pressed")]
    TooMany,
}

/// What is to be sent in this 20 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressed {
    /// No key: the agent's own frame.
    Nothing,
    /// This packet of an event, in place of audio.
    Event(EventPacket),
    /// The frame that was written: a tone, or the silence between two keys.
    Audio,
    /// This key goes through the signalling; the frame that was written is silence.
    Signalled(char),
}

/// How a line takes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyWay {
    /// As telephone-event (RFC 4733) on this clock; the RTP timestamp of the frame at hand.
    Events {
        clock_rate_hz: u32,
        timestamp: u32,
    },
    Tones,
    /// By whoever holds the dialog.
    Signalling,
}

/// The keys that wait, and the one being pressed.
#[derive(Debug)]
pub struct KeySender {
    waiting: VecDeque<char>,
    now: Now,
}

#[derive(Debug)]
enum Now {
    Idle,
    Event(DtmfSender),
    Tone(ToneSender),
    Signalled(char),
    Pause(u8),
}

/// Whether these can be pressed where none wait.
///
/// # Errors
/// [`KeysError`] names what is no key, or that there are too many.
pub fn check(keys: &str) -> Result<(), KeysError> {
    match keys.chars().find(|key| !matches!(key, '0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d' | ',')) {
        Some(other) => Err(KeysError::NoKey(other)),
        None if keys.len() > MOST_KEYS => Err(KeysError::TooMany),
        None => Ok(()),
    }
}

// === impl KeySender ===

impl KeySender {
    pub fn new() -> Self {
        Self { waiting: VecDeque::with_capacity(MOST_KEYS), now: Now::Idle }
    }

    /// Presses these after those that wait already; none of them if one cannot be.
    ///
    /// # Errors
    /// [`KeysError`] names what is no key, or that there are too many.
    pub fn press(&mut self, keys: &str) -> Result<(), KeysError> {
        check(keys)?;
        if self.waiting.len() + keys.len() > MOST_KEYS {
            return Err(KeysError::TooMany);
        }
        self.waiting.extend(keys.chars());
        Ok(())
    }

    /// Whether the agent's voice has to wait.
    pub fn is_busy(&self) -> bool {
        !matches!(self.now, Now::Idle) || !self.waiting.is_empty()
    }

    /// The next 20 ms; `audio` is written only for [`Pressed::Audio`].
    pub fn next(&mut self, way: KeyWay, audio: &mut [i16; FRAME_SAMPLES]) -> Pressed {
        if let Now::Idle = self.now {
            self.begin(way);
            if let Now::Signalled(key) = self.now {
                self.now = Now::Pause(EVENT_FRAMES + PAUSE_FRAMES);
                audio.fill(0);
                return Pressed::Signalled(key);
            }
        }
        match &mut self.now {
            Now::Idle => return Pressed::Nothing,
            Now::Event(sender) => {
                if let Some(packet) = sender.next_packet() {
                    return Pressed::Event(packet);
                }
                self.now = Now::Pause(PAUSE_FRAMES);
            }
            Now::Tone(sender) => {
                if sender.next_frame(audio) {
                    return Pressed::Audio;
                }
                self.now = Now::Pause(PAUSE_FRAMES);
            }
            Now::Pause(_) | Now::Signalled(_) => {}
        }
        audio.fill(0);
        if let Now::Pause(left) = &mut self.now {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.now = Now::Idle;
            }
        }
        Pressed::Audio
    }

    fn begin(&mut self, way: KeyWay) {
        let Some(key) = self.waiting.pop_front() else { return };
        let pressed = match way {
            _ if key == ',' => Some(Now::Pause(COMMA_FRAMES)),
            KeyWay::Events { clock_rate_hz, timestamp } => {
                DtmfSender::new(key, EVENT_MS, timestamp, clock_rate_hz).map(Now::Event)
            }
            KeyWay::Tones => ToneSender::new(key).map(Now::Tone),
            KeyWay::Signalling => Some(Now::Signalled(key.to_ascii_uppercase())),
        };
        self.now = pressed.unwrap_or(Now::Idle);
    }
}
