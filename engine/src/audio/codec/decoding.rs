//! A stream of a codec that has a memory: its packets wait in order and are decoded when they are played, not before.
//! Where in time a packet belongs and what is played next is `playout`'s to say.

use super::opus::GRAIN;
use super::packets::Packets;
use super::{Codec, Decoder};
use crate::audio::FRAME_SAMPLES;
use crate::audio::reorder::CAPACITY;

/// Longest loss the codec is asked to bridge, samples: 60 ms. What is longer fades away, as with any codec.
const LONGEST_BRIDGE: usize = 480;

/// Packets in, samples by position out. Fixed in size: nothing is allocated after construction.
#[derive(Debug)]
pub struct Decoding {
    decoder: Decoder,
    packets: Packets,
    /// Decoded samples: a ring by position, as far as they may still be asked for.
    samples: [i16; CAPACITY],
    /// End of what the decoder was given or has bridged; `None` before the first packet.
    decoded_to: Option<i64>,
}

// === impl Decoding ===

impl Decoding {
    /// `None` for G.711, which has no memory.
    pub fn of(codec: Codec) -> Option<Box<Self>> {
        match Decoder::new(codec) {
            Decoder::G711(_) => None,
            decoder => {
                Some(Box::new(Self { decoder, packets: Packets::new(), samples: [0; CAPACITY], decoded_to: None }))
            }
        }
    }

    /// Another stream of the same codec begins.
    pub fn clear(&mut self) {
        self.packets.clear();
        self.decoded_to = None;
    }

    /// Samples in a packet; `None` if it is none.
    pub fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        self.decoder.samples(payload)
    }

    /// Whether a packet can tell what the one before it was.
    pub fn recovers(&self) -> bool {
        matches!(self.decoder, Decoder::Opus(_))
    }

    pub fn is_pause(&self, payload: &[u8]) -> bool {
        self.decoder.is_pause(payload)
    }

    /// Keeps a packet. False if it is too late: the decoder is past its place.
    pub fn insert(&mut self, position: i64, length: usize, payload: &[u8]) -> bool {
        let end = position + length as i64;
        let passed = self.decoded_to.is_some_and(|decoded_to| end <= decoded_to);
        !passed && self.packets.insert(position, length, payload)
    }

    /// The samples from `position` on, all of which packets or bridges have.
    pub fn read(&mut self, position: i64, out: &mut [i16]) {
        self.decode_to(position + out.len() as i64);
        let start = slot(position);
        let first = out.len().min(CAPACITY - start);
        let (head, tail) = out.split_at_mut(first);
        head.copy_from_slice(&self.samples[start..start + first]);
        tail.copy_from_slice(&self.samples[..tail.len()]);
    }

    /// Makes samples of what is missing from `from` up to the next packet. False if the codec cannot, or not so many.
    pub fn bridge(&mut self, from: i64) -> bool {
        self.packets.first().is_some_and(|(next, _)| (1..=LONGEST_BRIDGE as i64).contains(&(next.position - from)))
            && self.bridge_to_first().is_some_and(|bridged_from| bridged_from <= from)
    }

    /// The next samples of the noise that fills a pause, if the codec knows it.
    pub fn pause(&mut self, out: &mut [i16]) -> bool {
        let mut noise = [0; FRAME_SAMPLES];
        let Some(whole) = noise.get_mut(..out.len().next_multiple_of(GRAIN)) else { return false };
        if !self.decoder.conceal(whole) {
            return false;
        }
        out.iter_mut().zip(whole).for_each(|(to, from)| *to = *from);
        true
    }

    fn decode_to(&mut self, end: i64) {
        while let Some((next, _)) = self.packets.first().filter(|(next, _)| next.position < end) {
            if self.decoded_to.is_some_and(|decoded_to| next.position - decoded_to <= LONGEST_BRIDGE as i64) {
                // Nobody will hear it any more, but what follows builds on it.
                self.bridge_to_first();
            }
            let mut samples = [0; Decoder::LONGEST_PACKET];
            if let Some((_, payload)) = self.packets.first() {
                let decoded = self.decoder.decode(payload, &mut samples).unwrap_or(0);
                if let Some(rest) = samples.get_mut(decoded..next.length) {
                    self.decoder.conceal(rest);
                }
            }
            self.packets.remove_first();
            self.write(next.position, samples.get(..next.length).unwrap_or(&[]));
            self.decoded_to = Some(next.end());
        }
    }

    /// Makes the samples between the decoder's place and the first packet; where they begin, `None` if there are none.
    fn bridge_to_first(&mut self) -> Option<i64> {
        let decoded_to = self.decoded_to?;
        let (next, payload) = self.packets.first()?;
        let missing = usize::try_from(next.position - decoded_to).ok().filter(|missing| *missing > 0)?;
        let mut samples = [0; LONGEST_BRIDGE];
        let bridge = samples.get_mut(..missing.min(LONGEST_BRIDGE).next_multiple_of(GRAIN))?;
        if !self.decoder.recover(payload, bridge) {
            return None;
        }
        let length = bridge.len();
        let from = next.position - length as i64;
        self.write(from, samples.get(..length).unwrap_or(&[]));
        self.decoded_to = Some(next.position);
        Some(from)
    }

    fn write(&mut self, position: i64, samples: &[i16]) {
        let start = slot(position);
        let (head, tail) = samples.split_at(samples.len().min(CAPACITY - start));
        self.samples[start..start + head.len()].copy_from_slice(head);
        self.samples[..tail.len()].copy_from_slice(tail);
    }
}

fn slot(position: i64) -> usize {
    position.rem_euclid(CAPACITY as i64) as usize
}
