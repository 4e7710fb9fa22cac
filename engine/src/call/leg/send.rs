//! The sending half of a leg: frames into RTP packets, and RTCP reports when they are due.
//! What the frames hold is not known here.

mod event;

use std::net::SocketAddr;
use std::time::Duration;

use super::StreamSeed;
use super::packetiser::{Audio, Packetiser};
use crate::audio::FRAME_SAMPLES;
use crate::audio::codec::{ComfortNoise, Encoded};
use crate::call::media::{MAX_PAYLOAD_BYTES, MediaSession};
use crate::clock::Moment;
use crate::rtp::rtcp::{Report, ReportBlock, SenderInfo};
use crate::rtp::{HEADER_BYTES, srtp, write_header};

/// Seconds from the NTP era (1900) to the Unix epoch.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;

/// Room for the longest packet we send, encrypted or not.
pub const MAX_PACKET_BYTES: usize = HEADER_BYTES + MAX_PAYLOAD_BYTES + srtp::MAX_TRAILER_BYTES;

/// Frames without voice after which a sender that pauses does so: 200 ms.
const PAUSE_AFTER: u32 = 10;

/// Frames from one packet of comfort noise to the next: 400 ms.
const NOISE_EVERY: u32 = 20;

/// The noise we say there is behind the agent, -dBov.
const NOISE_LEVEL: u8 = 70;

/// Mean time between reports (RFC 3550 section 6.2).
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// A packet that was written and is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    pub bytes: usize,
    pub to: SocketAddr,
}

/// State of the sending half.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) ssrc: u32,
    /// Wall-clock time at the clock's zero, microseconds since the Unix epoch.
    wall_zero_us: u64,
    sequence: u16,
    /// Timestamp of the first sample that waits.
    timestamp: u32,
    cname: String,
    audio: Packetiser,
    /// Frames without voice so far.
    quiet_frames: u32,
    /// The other side was told that there is silence.
    pausing: bool,
    /// The next packet is the first of a talkspurt.
    marker: bool,
    spoke: bool,
    next_report: Moment,
    pub(super) packets: u64,
    octets: u64,
}

// === impl Sending ===

impl Sending {
    pub(super) fn new(session: &MediaSession, seed: StreamSeed, now: Moment) -> Self {
        Self {
            ssrc: seed.ssrc,
            wall_zero_us: (seed.started_at_ms * 1000).saturating_sub(now.as_micros()),
            sequence: seed.sequence,
            timestamp: seed.timestamp,
            cname: seed.cname,
            audio: Packetiser::new(session.codec),
            quiet_frames: 0,
            pausing: false,
            marker: true,
            spoke: false,
            next_report: now + REPORT_INTERVAL / 2,
            packets: 0,
            octets: 0,
        }
    }

    /// Takes the next 20 ms. The packet is in `packet` when one is full; there may be another, see
    /// [`Self::next_packet`].
    pub(super) fn send_frame(
        &mut self,
        audio: Audio<'_>,
        voice: bool,
        session: &MediaSession,
        to: SocketAddr,
        packet: &mut [u8; MAX_PACKET_BYTES],
    ) -> Option<Transmit> {
        self.marker |= voice && !self.spoke;
        self.spoke = voice;
        self.quiet_frames = if voice { 0 } else { self.quiet_frames.saturating_add(1) };
        if !session.sends {
            self.pass_over(self.audio.filled() + FRAME_SAMPLES, session);
            self.audio.clear();
            self.marker = true;
            return None;
        }
        self.audio.push(audio);
        self.next_packet(session, to, packet)
    }

    /// The next packet, if there is enough for it.
    pub(super) fn next_packet(
        &mut self,
        session: &MediaSession,
        to: SocketAddr,
        packet: &mut [u8; MAX_PACKET_BYTES],
    ) -> Option<Transmit> {
        let samples = self.audio.packet_samples(session.ptime_ms);
        let (header, payload) = packet.split_first_chunk_mut::<HEADER_BYTES>()?;
        // What is behind it is the cipher's.
        let payload = payload.get_mut(..MAX_PAYLOAD_BYTES)?;
        while self.audio.filled() >= samples {
            let timestamp = self.timestamp;
            let noise = session.comfort_noise.filter(|_| session.pauses && self.quiet_frames >= PAUSE_AFTER);
            let bytes = match noise {
                Some(_) => {
                    self.audio.skip(samples);
                    self.describe_noise(payload)
                }
                None => self.encode(samples, payload),
            };
            self.pass_over(samples, session);
            let Some(bytes) = bytes else {
                self.marker = true;
                continue;
            };
            let payload_type = noise.unwrap_or(session.payload_type);
            write_header(header, self.marker, payload_type, self.sequence, timestamp, self.ssrc);
            self.marker = false;
            self.sequence = self.sequence.wrapping_add(1);
            self.packets += 1;
            self.octets += bytes as u64;
            return Some(Transmit { bytes: HEADER_BYTES + bytes, to });
        }
        None
    }

    /// The stream goes on in another codec, as the same source and without a jump in its time.
    pub(super) fn change(&mut self, old: &MediaSession, new: &MediaSession) {
        if old.codec == new.codec {
            return;
        }
        self.pass_over(self.audio.filled(), old);
        self.audio = Packetiser::new(new.codec);
        self.pausing = false;
        self.marker = true;
    }

    /// The other side reports to have lost this part of our packets, of 256.
    pub(super) fn expect_loss(&mut self, of_256: u8) {
        self.audio.expect_loss((u32::from(of_256) * 100).div_ceil(256) as u8);
    }

    /// Takes a packet's worth out; the payload's length, `None` if there is nothing to be sent.
    fn encode(&mut self, samples: usize, payload: &mut [u8]) -> Option<usize> {
        let encoded = self.audio.take(samples, payload);
        let told = std::mem::replace(&mut self.pausing, matches!(encoded, Encoded::Silence(_)));
        match encoded {
            Encoded::Voice(0) => None,
            Encoded::Silence(_) if told => None,
            Encoded::Voice(bytes) | Encoded::Silence(bytes) => Some(bytes),
        }
    }

    /// Comfort noise, now and then.
    fn describe_noise(&mut self, payload: &mut [u8]) -> Option<usize> {
        let due = (self.quiet_frames - PAUSE_AFTER).is_multiple_of(NOISE_EVERY);
        let description = ComfortNoise::packet(NOISE_LEVEL);
        payload.first_chunk_mut().filter(|_| due).map(|place| *place = description)?;
        Some(description.len())
    }

    /// So many samples' time passes.
    pub(super) fn pass_over(&mut self, samples: usize, session: &MediaSession) {
        self.timestamp = self.timestamp.wrapping_add(samples as u32 * session.codec.ticks_per_sample());
    }

    pub(super) fn report_is_due(&self, now: Moment) -> bool {
        now >= self.next_report
    }

    /// Writes a report; a BYE ends it when the call is over. `None` if it has no room.
    pub(super) fn send_report(
        &mut self,
        now: Moment,
        block: Option<ReportBlock>,
        bye: bool,
        to: SocketAddr,
        packet: &mut [u8; MAX_PACKET_BYTES],
    ) -> Option<Transmit> {
        self.next_report = now + self.jittered_interval();
        let sender = (self.packets > 0).then_some(SenderInfo {
            ntp: self.ntp(now),
            rtp_timestamp: self.timestamp,
            packets: self.packets as u32,
            octets: self.octets as u32,
        });
        let report = Report { ssrc: self.ssrc, sender, block, cname: &self.cname, bye };
        let bytes = report.write(packet).ok()?;
        Some(Transmit { bytes, to })
    }

    /// NTP time, 32.32 fixed point (RFC 3550 section 4).
    pub(super) fn ntp(&self, now: Moment) -> u64 {
        let us = self.wall_zero_us + now.as_micros() + NTP_TO_UNIX_S * 1_000_000;
        ((us / 1_000_000) << 32) | (((us % 1_000_000) << 32) / 1_000_000)
    }

    /// The interval times 0.5 to 1.5, so that calls do not report in step (RFC 3550 section 6.3.1).
    fn jittered_interval(&self) -> Duration {
        let scatter = (self.ssrc ^ self.timestamp).wrapping_mul(0x9e37_79b9) >> 16;
        REPORT_INTERVAL / 2 + REPORT_INTERVAL * scatter / 0x1_0000
    }
}
