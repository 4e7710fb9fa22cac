//! The caller of a simulated call: hears the agent out, asks, waits for the answer, and thinks before the next question.
//! It sends and reads real RTP packets; whether a packet gets through is the call's business.

use std::net::SocketAddr;
use std::time::Duration;

use engine::audio::FRAME_SAMPLES;
use engine::clock::Moment;
use engine::rtp::{HEADER_BYTES, RtpPacket, write_header};
use rand::Rng;
use rand::rngs::SmallRng;

use super::voices::{QUESTION, SILENCE, is_voiced};

pub const PACKET_BYTES: usize = HEADER_BYTES + FRAME_SAMPLES;
pub const PAYLOAD_TYPE: u8 = 0;

/// Silence after which the agent has finished: longer than its pauses between words.
const QUIET: Duration = Duration::from_millis(800);
/// A question that is not answered by then is asked again.
const PATIENCE: Duration = Duration::from_secs(10);
/// Thought before the next question at most, ms.
const MOST_THOUGHT_MS: u64 = 2000;

/// What happened to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticed {
    /// Last frame of a question sent → first voiced frame back.
    Answered {
        after: Duration,
    },
    /// The agent spoke before the question was over.
    AnsweredInside,
    Unanswered,
}

#[derive(Debug)]
pub struct Caller {
    doing: Doing,
    /// When the agent's voice was heard last; never: not yet.
    last_voice: Option<Moment>,
    /// Thought before the next question.
    thought: Duration,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    /// Sequence and timestamp that come next.
    expected: Option<(u16, u32)>,
    /// Packets that did not go on where the one before ended.
    pub breaks: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Listening,
    Asking { frame: usize },
    Waiting { asked: Moment },
}

// === impl Caller ===

impl Caller {
    pub fn new(rng: &mut SmallRng) -> Self {
        Self {
            doing: Doing::Listening,
            last_voice: None,
            thought: thought(rng),
            sequence: rng.random(),
            timestamp: rng.random(),
            ssrc: rng.random(),
            expected: None,
            breaks: 0,
        }
    }

    /// Where callers are, as the calls see it.
    pub fn address() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 10], 4000))
    }

    /// The agent was heard.
    pub fn heard_voice(&self) -> bool {
        self.last_voice.is_some()
    }

    /// The next packet, sent at `now`.
    pub fn send(&mut self, now: Moment, packet: &mut [u8; PACKET_BYTES]) {
        let payload = match self.doing {
            Doing::Asking { frame } => {
                self.doing = match frame + 1 {
                    next if next >= QUESTION.len() => Doing::Waiting { asked: now },
                    next => Doing::Asking { frame: next },
                };
                QUESTION.get(frame).unwrap_or(&SILENCE)
            }
            _ => &SILENCE,
        };
        if let Some((header, body)) = packet.split_first_chunk_mut() {
            write_header(header, false, PAYLOAD_TYPE, self.sequence, self.timestamp, self.ssrc);
            body.copy_from_slice(payload);
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES as u32);
    }

    /// A packet of the agent's came at `now`.
    pub fn hear(&mut self, now: Moment, packet: &[u8]) -> Option<Noticed> {
        let Ok(packet) = RtpPacket::parse(packet) else {
            self.breaks += 1;
            return None;
        };
        let here = (packet.sequence, packet.timestamp);
        self.breaks += u64::from(self.expected.is_some_and(|expected| expected != here));
        let length = packet.payload.len() as u32;
        self.expected = Some((packet.sequence.wrapping_add(1), packet.timestamp.wrapping_add(length)));
        if !packet.payload.first_chunk().is_some_and(is_voiced) {
            return None;
        }
        let before = self.last_voice.replace(now);
        let Doing::Waiting { asked } = self.doing else { return None };
        self.doing = Doing::Listening;
        // It was speaking already: there is nothing to be measured.
        if before.is_some_and(|before| asked.since(before) < QUIET) {
            return Some(Noticed::AnsweredInside);
        }
        Some(Noticed::Answered { after: now.since(asked) })
    }

    /// Once every 20 ms: is it time to ask, or to ask again?
    pub fn think(&mut self, now: Moment, rng: &mut SmallRng) -> Option<Noticed> {
        match self.doing {
            Doing::Listening if self.last_voice.is_some_and(|last| now.since(last) >= QUIET + self.thought) => {
                self.doing = Doing::Asking { frame: 0 };
                self.thought = thought(rng);
                None
            }
            Doing::Waiting { asked } if now.since(asked) >= PATIENCE => {
                self.doing = Doing::Asking { frame: 0 };
                Some(Noticed::Unanswered)
            }
            _ => None,
        }
    }
}

fn thought(rng: &mut SmallRng) -> Duration {
    Duration::from_millis(rng.random_range(0..=MOST_THOUGHT_MS))
}
