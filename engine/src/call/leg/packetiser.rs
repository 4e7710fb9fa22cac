//! Frames of 20 ms into payloads of the length the other side wants, in the leg's codec.
//! Headers, numbers and times are `send`'s.

use crate::audio::FRAME_SAMPLES;
use crate::audio::codec::{Codec, Encoded, Encoder};
use crate::audio::g711::Law;
use crate::call::media::MAX_PAYLOAD_BYTES;

/// Room for less than the longest packet, and a frame: samples.
const ROOM: usize = MAX_PAYLOAD_BYTES + FRAME_SAMPLES;

/// 20 ms to be sent.
#[derive(Debug, Clone, Copy)]
pub enum Audio<'a> {
    Law(Law, &'a [u8; FRAME_SAMPLES]),
    Linear(&'a [i16; FRAME_SAMPLES]),
}

/// What waits to fill a packet. G.711 is kept as it will be sent; of other codecs packets are encoded whole.
#[derive(Debug)]
pub(super) struct Packetiser {
    waiting: Waiting,
    /// Samples that wait.
    filled: usize,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one a call; the larger one is the one of most calls")]
enum Waiting {
    Law(Law, [u8; ROOM]),
    Linear(Box<Linear>),
}

#[derive(Debug)]
struct Linear {
    encoder: Encoder,
    samples: [i16; ROOM],
}

// === impl Packetiser ===

impl Packetiser {
    pub fn new(codec: Codec) -> Self {
        let waiting = match codec {
            Codec::G711(law) => Waiting::Law(law, [0; ROOM]),
            _ => Waiting::Linear(Box::new(Linear { encoder: Encoder::new(codec), samples: [0; ROOM] })),
        };
        Self { waiting, filled: 0 }
    }

    /// Adds 20 ms. What does not fit is not kept: packets are to be taken before that.
    pub fn push(&mut self, audio: Audio<'_>) {
        match &mut self.waiting {
            Waiting::Law(law, bytes) => {
                let Some(room) = bytes.get_mut(self.filled..).and_then(<[u8]>::first_chunk_mut) else { return };
                encode(*law, audio, room);
            }
            Waiting::Linear(linear) => {
                let Some(room) = linear.samples.get_mut(self.filled..).and_then(<[i16]>::first_chunk_mut) else {
                    return;
                };
                match audio {
                    Audio::Law(law, frame) => law.decode_into(frame, room),
                    Audio::Linear(frame) => *room = *frame,
                }
            }
        }
        self.filled += FRAME_SAMPLES;
    }

    /// Samples that wait.
    pub fn filled(&self) -> usize {
        self.filled
    }

    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Leaves the first `samples` that wait out.
    pub fn skip(&mut self, samples: usize) {
        let rest = samples.min(self.filled)..self.filled;
        match &mut self.waiting {
            Waiting::Law(_, bytes) => bytes.copy_within(rest, 0),
            Waiting::Linear(linear) => linear.samples.copy_within(rest, 0),
        }
        self.filled = self.filled.saturating_sub(samples);
    }

    /// Samples in a packet of at most `ms`.
    pub fn packet_samples(&self, ms: u32) -> usize {
        let most = ms as usize * 8;
        match &self.waiting {
            // Any number of samples would do; tens of milliseconds are what telephones send.
            Waiting::Law(..) => (most - most % 80).clamp(80, MAX_PAYLOAD_BYTES),
            Waiting::Linear(linear) => linear.encoder.packet_samples(most),
        }
    }

    /// Takes the first `samples` that wait out and encodes them into `payload`.
    pub fn take(&mut self, samples: usize, payload: &mut [u8]) -> Encoded {
        let samples = samples.min(self.filled);
        let encoded = match &mut self.waiting {
            Waiting::Law(_, bytes) => {
                payload.iter_mut().zip(&bytes[..samples]).for_each(|(to, from)| *to = *from);
                Encoded::Voice(samples)
            }
            Waiting::Linear(linear) => linear.encoder.encode(&linear.samples[..samples], payload),
        };
        self.skip(samples);
        encoded
    }

    /// The other side loses this share of our packets, percent.
    pub fn expect_loss(&mut self, percent: u8) {
        if let Waiting::Linear(linear) = &mut self.waiting {
            linear.encoder.expect_loss(percent);
        }
    }
}

fn encode(law: Law, audio: Audio<'_>, out: &mut [u8; FRAME_SAMPLES]) {
    match audio {
        Audio::Law(same, frame) if same == law => *out = *frame,
        Audio::Law(other, frame) => *out = frame.map(|byte| law.encode(other.decode(byte))),
        Audio::Linear(frame) => law.encode_into(frame, out),
    }
}
