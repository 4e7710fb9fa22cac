//! The sending half of a leg: frames into RTP packets, and RTCP reports when they are due.
//! What the frames hold is not known here.

mod event;

use std::net::SocketAddr;
use std::time::Duration;

use super::StreamSeed;
use crate::audio::FRAME_SAMPLES;
use crate::call::media::{MAX_PAYLOAD_BYTES, MediaSession};
use crate::clock::Moment;
use crate::rtp::rtcp::{Report, ReportBlock, SenderInfo};
use crate::rtp::{HEADER_BYTES, srtp, write_header};

/// Seconds from the NTP era (1900) to the Unix epoch.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;

/// Room for the longest packet we send, encrypted or not.
pub const MAX_PACKET_BYTES: usize = HEADER_BYTES + MAX_PAYLOAD_BYTES + srtp::MAX_TRAILER_BYTES;

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
    /// Timestamp of the next frame.
    timestamp: u32,
    cname: String,
    payload: [u8; MAX_PAYLOAD_BYTES],
    /// Bytes of `payload` filled so far.
    filled: usize,
    /// The next packet is the first of a talkspurt.
    marker: bool,
    spoke: bool,
    next_report: Moment,
    pub(super) packets: u64,
    octets: u64,
}

// === impl Sending ===

impl Sending {
    pub(super) fn new(seed: StreamSeed, now: Moment) -> Self {
        Self {
            ssrc: seed.ssrc,
            wall_zero_us: (seed.started_at_ms * 1000).saturating_sub(now.as_micros()),
            sequence: seed.sequence,
            timestamp: seed.timestamp,
            cname: seed.cname,
            payload: [0; MAX_PAYLOAD_BYTES],
            filled: 0,
            marker: true,
            spoke: false,
            next_report: now + REPORT_INTERVAL / 2,
            packets: 0,
            octets: 0,
        }
    }

    pub(super) fn send_frame(
        &mut self,
        frame: &[u8; FRAME_SAMPLES],
        voice: bool,
        session: &MediaSession,
        to: SocketAddr,
        packet: &mut [u8; MAX_PACKET_BYTES],
    ) -> Option<Transmit> {
        self.marker |= voice && !self.spoke;
        self.spoke = voice;
        let wanted = usize::from(session.frames_per_packet.clamp(1, 3)) * FRAME_SAMPLES;
        if self.filled + FRAME_SAMPLES > MAX_PAYLOAD_BYTES || !session.sends {
            self.timestamp = self.timestamp.wrapping_add(self.filled as u32);
            self.filled = 0;
        }
        if !session.sends {
            self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES as u32);
            self.marker = true;
            return None;
        }
        self.payload[self.filled..self.filled + FRAME_SAMPLES].copy_from_slice(frame);
        self.filled += FRAME_SAMPLES;
        if self.filled < wanted {
            return None;
        }
        let (header, payload) = packet.split_first_chunk_mut::<HEADER_BYTES>()?;
        write_header(header, self.marker, session.payload_type, self.sequence, self.timestamp, self.ssrc);
        payload[..self.filled].copy_from_slice(&self.payload[..self.filled]);
        let sent = self.filled;
        self.filled = 0;
        self.marker = false;
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(sent as u32);
        self.packets += 1;
        self.octets += sent as u64;
        Some(Transmit { bytes: HEADER_BYTES + sent, to })
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
