//! What a leg sends next: a frame of an utterance, a packet of a pressed key, or silence.
//! Builds bytes only; sending and its time are the leg's.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use engine::audio::FRAME_SAMPLES;
use engine::audio::codec::{Codec, Encoded, Encoder};
use engine::audio::dtmf::DtmfSender;
use engine::rtp::{HEADER_BYTES, write_header};

use super::Route;
use crate::voice::Utterance;

/// The longest packet: 20 ms in any codec.
pub const MAX_PACKET_BYTES: usize = HEADER_BYTES + 320;

/// How long a key is held, ms.
const KEY_MS: u32 = 160;

pub struct Mouth {
    ssrc: u32,
    sequence: u16,
    /// RTP timestamp of the next 20 ms.
    timestamp: u32,
    current: Option<Now>,
    waiting: VecDeque<Next>,
    packet: [u8; MAX_PACKET_BYTES],
    encoder: Option<(Codec, Encoder)>,
    started: bool,
}

enum Next {
    Say(Utterance),
    Press(char),
}

enum Now {
    /// An utterance and the number of its next frame.
    Saying(Utterance, usize),
    Pressing(DtmfSender),
}

/// What the packet meant, for the events of the leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoke {
    Nothing,
    First,
    Last,
    Key,
}

// === impl Mouth ===

impl Mouth {
    /// `seed` makes source and origins differ between legs.
    pub fn new(seed: u32) -> Self {
        let mixed = seed.wrapping_mul(0x9E37_79B1);
        Self {
            ssrc: mixed ^ 0x5448_4F4E,
            sequence: (mixed >> 16) as u16,
            timestamp: mixed.rotate_left(7),
            current: None,
            waiting: VecDeque::new(),
            packet: [0; MAX_PACKET_BYTES],
            encoder: None,
            started: false,
        }
    }

    pub fn say(&mut self, utterance: Utterance) {
        self.waiting.push_back(Next::Say(utterance));
    }

    pub fn press(&mut self, digit: char) {
        self.waiting.push_back(Next::Press(digit));
    }

    /// The datagram for this 20 ms.
    pub fn next_packet(&mut self, route: &Route) -> (&[u8], Spoke) {
        if self.current.is_none() {
            self.current = self.waiting.pop_front().and_then(|next| match next {
                Next::Say(utterance) => Some(Now::Saying(utterance, 0)),
                Next::Press(digit) => DtmfSender::new(digit, KEY_MS, self.timestamp, 8000).map(Now::Pressing),
            });
        }
        let mut marker = !std::mem::replace(&mut self.started, true);
        let (mut payload_type, mut timestamp, mut length, mut spoke) =
            (route.payload_type, self.timestamp, None, Spoke::Nothing);
        let (header, payload) = self.packet.split_at_mut(HEADER_BYTES);
        let mut frame: &[i16] = &[0; FRAME_SAMPLES];
        let mut finished = false;
        match (&mut self.current, route.telephone_event) {
            (Some(Now::Saying(utterance, next)), _) => {
                // Utterances hold at least one frame, so there is one until `finished`.
                frame = utterance.frame(*next).unwrap_or(frame);
                marker |= *next == 0;
                if *next == 0 {
                    spoke = Spoke::First;
                }
                *next += 1;
                if utterance.frame(*next).is_none() {
                    spoke = Spoke::Last;
                    finished = true;
                }
            }
            (Some(Now::Pressing(sender)), Some(event_type)) => match sender.next_packet() {
                Some(event) => {
                    marker |= event.marker;
                    payload_type = event_type;
                    timestamp = event.timestamp;
                    length = Some(event.payload.len());
                    payload.iter_mut().zip(event.payload).for_each(|(to, from)| *to = from);
                }
                None => {
                    spoke = Spoke::Key;
                    finished = true;
                }
            },
            // Without a negotiated event type a key cannot be pressed; nobody will be told it was.
            (Some(Now::Pressing(_)), None) => finished = true,
            (None, _) => {}
        }
        let length = length.unwrap_or_else(|| {
            let encoder = match &mut self.encoder {
                Some((codec, encoder)) if *codec == route.codec => encoder,
                other => &mut other.insert((route.codec, Encoder::new(route.codec))).1,
            };
            let (Encoded::Voice(length) | Encoded::Silence(length)) = encoder.encode(frame, payload);
            length
        });
        if finished {
            self.current = None;
        }
        if let Ok(header) = <&mut [u8; HEADER_BYTES]>::try_from(header) {
            write_header(header, marker, payload_type, self.sequence, timestamp, self.ssrc);
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES as u32 * route.codec.ticks_per_sample());
        (self.packet.get(..HEADER_BYTES + length).unwrap_or_default(), spoke)
    }
}
