//! What comes back on a leg: counted by header, listened to by energy, kept by timestamp.
//! No sockets; what comes, comes with its time.

use std::time::Duration;

use engine::audio::codec::{Codec, Decoder};
use engine::audio::{FRAME_SAMPLES, SAMPLE_RATE_HZ};
use engine::clock::Moment;
use engine::rtp::{RtpPacket, is_rtcp};

use super::leg::{LegReport, SendCounts};
use super::{Event, Route};
use crate::measure::level::{self, Change, SpeechFinder};
use crate::measure::spacing::{Arrival, SpacingMeter};

/// More silence than this before a packet is a broken timestamp and not worth the memory: 60 s.
const LONGEST_HOLE: usize = 60 * 8000;

/// Without a packet for so long the other side pauses (silence suppression, RFC 3551 section 4.1).
const PAUSE: Duration = Duration::from_millis(100);

pub struct Ear {
    meter: SpacingMeter,
    finder: SpeechFinder,
    voiced_frames: u64,
    ignored: u64,
    rtcp: u64,
    first_packet: Option<Moment>,
    last_packet: Option<Moment>,
    audio: Option<Audio>,
    decoder: Option<(Codec, Decoder)>,
}

/// Heard audio in the sender's media time.
#[derive(Default)]
struct Audio {
    samples: Vec<i16>,
    /// SSRC, and the timestamp that belongs to `samples[base]`.
    source: Option<(u32, u32)>,
    base: usize,
}

// === impl Ear ===

impl Ear {
    pub fn new(keep_audio: bool) -> Self {
        Self {
            meter: SpacingMeter::default(),
            finder: SpeechFinder::default(),
            voiced_frames: 0,
            ignored: 0,
            rtcp: 0,
            first_packet: None,
            last_packet: None,
            audio: keep_audio.then(Audio::default),
            decoder: None,
        }
    }

    /// A datagram came that is not the other side's.
    pub fn ignore(&mut self) {
        self.ignored += 1;
    }

    pub fn hear(&mut self, at: Moment, datagram: &[u8], route: &Route, mut tell: impl FnMut(Event)) {
        if is_rtcp(datagram) {
            self.rtcp += 1;
            return;
        }
        let packet = match RtpPacket::parse(datagram) {
            Ok(packet) if packet.payload_type == route.receive_payload_type => packet,
            _ => {
                self.ignored += 1;
                return;
            }
        };
        let mut samples = [0; Decoder::LONGEST_PACKET];
        let decoder = match &mut self.decoder {
            Some((codec, decoder)) if *codec == route.codec => decoder,
            other => &mut other.insert((route.codec, Decoder::new(route.codec))).1,
        };
        let length = decoder.decode(packet.payload, &mut samples).unwrap_or(0);
        let samples = samples.get(..length).unwrap_or_default();
        let ticks = route.codec.ticks_per_sample();
        self.meter.on_packet(Arrival {
            at,
            marker: packet.marker,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: packet.ssrc,
            duration: length as u32 * ticks,
            clock_hz: ticks * SAMPLE_RATE_HZ,
        });
        self.came(at, &mut tell);
        for (n, samples) in samples.chunks(FRAME_SAMPLES).enumerate() {
            self.listen(at, samples, &mut tell);
            if let Some(audio) = &mut self.audio {
                let timestamp = packet.timestamp.wrapping_add((n * FRAME_SAMPLES) as u32 * ticks);
                audio.place(packet.ssrc, timestamp, ticks, samples);
            }
        }
    }

    /// Audio came that is no RTP packet; it is listened to when it is played.
    pub fn count(&mut self, arrival: Arrival, mut tell: impl FnMut(Event)) {
        self.meter.on_packet(arrival);
        self.came(arrival.at, &mut tell);
    }

    /// 20 ms are played at `at`.
    pub fn listen(&mut self, at: Moment, samples: &[i16], mut tell: impl FnMut(Event)) {
        self.voiced_frames += u64::from(level::is_voiced(samples));
        match self.finder.push(at, samples) {
            Some(Change::Started { at }) => tell(Event::VoiceStarted { at }),
            Some(Change::Ended { last }) => tell(Event::VoiceEnded { last }),
            None => {}
        }
    }

    /// 20 ms are over, to be told after what came in them: whoever sends nothing says nothing.
    pub fn rest(&mut self, now: Moment, tell: impl FnMut(Event)) {
        if self.last_packet.is_some_and(|last| now.since(last) >= PAUSE) {
            self.listen(now, &[0; FRAME_SAMPLES], tell);
        }
    }

    fn came(&mut self, at: Moment, tell: &mut impl FnMut(Event)) {
        self.last_packet = Some(at);
        if self.first_packet.is_none() {
            self.first_packet = Some(at);
            tell(Event::FirstPacket { at });
        }
    }

    pub fn into_report(self, sending: SendCounts) -> LegReport {
        LegReport {
            sending,
            received: self.meter.into_counts(),
            voiced_frames: self.voiced_frames,
            ignored: self.ignored,
            rtcp: self.rtcp,
            first_packet: self.first_packet,
            heard: self.audio.map(|audio| audio.samples).unwrap_or_default(),
        }
    }
}

// === impl Audio ===

impl Audio {
    /// `ticks`: of the timestamp's clock in a sample.
    fn place(&mut self, ssrc: u32, timestamp: u32, ticks: u32, frame: &[i16]) {
        let origin = match self.source {
            Some((known, origin)) if known == ssrc => origin,
            // A new source has its own time: it goes on where the old one stopped.
            _ => {
                self.source = Some((ssrc, timestamp));
                self.base = self.samples.len();
                timestamp
            }
        };
        let ahead = timestamp.wrapping_sub(origin);
        // Older than the first packet of this source: there is no place for it.
        let Ok(ahead) = usize::try_from(ahead as i32 / ticks as i32) else { return };
        let start = self.base + ahead;
        if start > self.samples.len() + LONGEST_HOLE {
            return;
        }
        let end = start + frame.len();
        if end > self.samples.len() {
            self.samples.resize(end, 0);
        }
        if let Some(place) = self.samples.get_mut(start..end) {
            place.copy_from_slice(frame);
        }
    }
}

#[cfg(test)]
mod tests;
