//! One media leg: RTP and RTCP in and out for one negotiated stream (RFC 3550), as pure state.
//! Bytes come and go here; sockets are the transport's, and what is said over the leg is the conversation's.

mod packetiser;
mod receive;
mod security;
mod send;

use std::net::SocketAddr;
use std::time::Duration;

use edge_protocol::MediaQuality;

pub use packetiser::Audio;
pub use receive::LegInput;
pub use send::{MAX_PACKET_BYTES, Transmit};

use super::key_sender::KeyWay;
use super::media::{KeysBy, MediaSession};
use crate::audio::FRAME_SAMPLES;
use crate::audio::dtmf::{self, EventPacket};
use crate::audio::playout::Frame;
use crate::audio::quality::{self, Loss, Robustness};
use crate::clock::Moment;
use crate::rtp::dtls::{self, DtlsError};
use receive::{Ignored, Ours, Receiving, Reports};
use security::Security;
use send::Sending;

/// Random beginnings of a stream, handed in so that a call is reproducible (RFC 3550 section 5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSeed {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    /// Canonical name in SDES (RFC 3550 section 6.5.1); no user or host name.
    pub cname: String,
    /// Wall-clock time of the call's start, milliseconds since the Unix epoch; for sender reports.
    pub started_at_ms: u64,
}

/// One leg's media.
pub struct Leg {
    session: MediaSession,
    receiving: Receiving,
    sending: Sending,
    security: Security,
}

// === impl Leg ===

impl Leg {
    pub fn new(session: MediaSession, seed: StreamSeed, now: Moment) -> Self {
        let security = Security::new(&session.security, now);
        Self { receiving: Receiving::new(&session, now), sending: Sending::new(&session, seed, now), session, security }
    }

    pub fn session(&self) -> &MediaSession {
        &self.session
    }

    /// A datagram that is no RTCP arrived at the leg's socket. What is not authentic is nobody's: it takes no lock.
    pub fn handle_rtp(&mut self, now: Moment, from: SocketAddr, datagram: &[u8]) -> LegInput {
        if dtls::is_dtls(datagram) {
            self.security.handle_dtls(now, from, datagram);
            return LegInput::Ignored;
        }
        match self.security.open_rtp(datagram) {
            Some(packet) => self.receiving.handle_rtp(now, from, packet, &self.session),
            None => LegInput::Ignored,
        }
    }

    /// An RTCP datagram arrived at the leg's socket.
    pub fn handle_rtcp(&mut self, now: Moment, from: SocketAddr, datagram: &[u8]) {
        let ours = Ours { ssrc: self.sending.ssrc, packets: self.sending.packets, ntp_now: self.sending.ntp(now) };
        // Nothing we have a key for.
        if self.security.needs_rtcp_mux() && !self.session.rtcp_mux {
            return;
        }
        if let Some(report) = self.security.open_rtcp(datagram) {
            self.receiving.handle_rtcp(now, from, report, &self.session, &ours);
        }
        if let Some(lost) = self.receiving.reports.lost.take() {
            self.sending.expect_loss(lost);
        }
    }

    /// The next 20 ms of the other side's audio.
    pub fn next_frame(&mut self, now: Moment, out: &mut [i16; FRAME_SAMPLES]) -> Frame {
        self.receiving.playout.next_frame(now, out)
    }

    /// A key that was pressed and whose end was lost; to be asked once every 20 ms.
    pub fn key_released(&mut self) -> Option<Key> {
        self.receiving.key_released()
    }

    /// Sends the next 20 ms. The packet is in `packet` when one is due; ask `send_more` for others.
    pub fn send_frame(
        &mut self,
        audio: Audio<'_>,
        voice: bool,
        packet: &mut [u8; MAX_PACKET_BYTES],
    ) -> Option<Transmit> {
        let to = self.receiving.rtp_lock.destination();
        let sent = self.sending.send_frame(audio, voice, &self.session, to, packet)?;
        self.security.seal_rtp(sent, packet)
    }

    /// The time of so many frames passes of which none was given.
    pub fn pass_over(&mut self, frames: u32) {
        self.sending.pass_over(frames as usize * FRAME_SAMPLES, &self.session);
    }

    /// Another packet of what was given already: where the other side wants packets shorter than our frames.
    pub fn send_more(&mut self, packet: &mut [u8; MAX_PACKET_BYTES]) -> Option<Transmit> {
        let to = self.receiving.rtp_lock.destination();
        let sent = self.sending.next_packet(&self.session, to, packet)?;
        self.security.seal_rtp(sent, packet)
    }

    /// How a key is sent that goes down now.
    pub fn key_way(&self) -> KeyWay {
        match (self.session.keys, self.session.telephone_event) {
            (KeysBy::Signalling, _) => KeyWay::Signalling,
            (KeysBy::Events, Some(_)) => {
                let timestamp = self.sending.next_timestamp(&self.session);
                KeyWay::Events { clock_rate_hz: self.session.event_clock_hz, timestamp }
            }
            (KeysBy::Events, None) | (KeysBy::Tones, _) => KeyWay::Tones,
        }
    }

    /// Sends 20 ms of a key in place of audio. The packet is in `packet`.
    pub fn send_event(&mut self, event: &EventPacket, packet: &mut [u8; MAX_PACKET_BYTES]) -> Option<Transmit> {
        let to = self.receiving.rtp_lock.destination();
        let sent = self.sending.send_event(event, &self.session, to, packet)?;
        self.security.seal_rtp(sent, packet)
    }

    /// Sends a sender or receiver report when one is due.
    pub fn send_report(&mut self, now: Moment, packet: &mut [u8; MAX_PACKET_BYTES]) -> Option<Transmit> {
        if !self.sending.report_is_due(now) {
            return None;
        }
        self.receiving.reports.expire(now);
        self.write_report(now, false, packet)
    }

    /// Sends the last report, which says goodbye (RFC 3550 section 6.6).
    pub fn send_bye(&mut self, now: Moment, packet: &mut [u8; MAX_PACKET_BYTES]) -> Option<Transmit> {
        self.write_report(now, true, packet)
    }

    /// The next datagram of a DTLS handshake, if one is under way and has something to say.
    pub fn send_handshake(&mut self, now: Moment, packet: &mut [u8; MAX_PACKET_BYTES]) -> Option<Transmit> {
        self.security.tick(now);
        self.security.send_handshake(self.receiving.rtp_lock.destination(), packet)
    }

    /// Audio may flow: it is not encrypted, or there are keys.
    pub fn is_ready(&self) -> bool {
        self.security.is_ready()
    }

    /// Why there will be no keys.
    pub fn keying_error(&self) -> Option<&DtlsError> {
        self.security.error()
    }

    /// The session was changed by a new offer and answer.
    pub fn change(&mut self, now: Moment, session: MediaSession) {
        self.receiving.change(now, &self.session, &session);
        self.security.change(now, &self.session.security, &session.security);
        self.sending.change(&self.session, &session);
        self.session = session;
    }

    fn write_report(&mut self, now: Moment, bye: bool, packet: &mut [u8; MAX_PACKET_BYTES]) -> Option<Transmit> {
        let to = self.receiving.rtcp_destination(&self.session)?;
        if self.security.needs_rtcp_mux() && !self.session.rtcp_mux {
            return None;
        }
        let block = self.receiving.report_block(now);
        let sent = self.sending.send_report(now, block, bye, to, packet)?;
        self.security.seal_rtcp(sent, packet)
    }

    /// Time since the last valid packet, or since the session was changed. On hold, when many phones send no audio,
    /// a report is a sign of life too.
    pub fn silent_for(&self, now: Moment) -> Duration {
        let Receiving { last_packet, last_report, .. } = self.receiving;
        now.since(if self.session.on_hold() { last_packet.max(last_report) } else { last_packet })
    }

    /// Packets of the other side's that were taken.
    pub fn packets_received(&self) -> u64 {
        self.receiving.packets_received
    }

    /// Packets sent.
    pub fn packets_sent(&self) -> u64 {
        self.sending.packets
    }

    /// Encrypted packets that could not be authenticated since one could, or since there were new keys.
    pub fn unauthentic_in_a_row(&self) -> u64 {
        self.security.refused.in_a_row
    }

    /// RTP that was not taken, and why.
    pub fn ignored(&self) -> &Ignored {
        &self.receiving.ignored
    }

    /// The other side's view of our stream.
    pub fn reports(&self) -> &Reports {
        &self.receiving.reports
    }

    /// The source before the last one, once after it changed.
    pub fn take_moved_from(&mut self) -> Option<SocketAddr> {
        self.receiving.moved_from.take()
    }

    /// How long audio lies in the jitter buffer now.
    pub fn playout_delay(&self) -> Duration {
        Duration::from_secs_f32((self.receiving.playout.stats().delay_ms / 1000.0).clamp(0.0, 1.0))
    }

    /// The source the leg is locked to, once a packet came.
    pub fn learned_source(&self) -> Option<SocketAddr> {
        self.receiving.rtp_lock.source()
    }

    /// Synchronisation source of the other side's stream, once a packet came.
    pub fn ssrc(&self) -> Option<u32> {
        self.receiving.ssrc
    }

    pub fn quality(&self) -> MediaQuality {
        let stats = self.receiving.playout.stats();
        let received = self.receiving.packets_received;
        let lost = self.receiving.packets_lost();
        // A packet that came too late was lost to the ear.
        let unheard = lost + stats.late;
        let loss = Loss::of(unheard, received + lost, self.receiving.loss_runs());
        let round_trip_ms = self.receiving.reports.round_trip.map_or(0.0, |(rtt, _)| rtt.as_secs_f32() * 1000.0);
        let one_way_ms = round_trip_ms / 2.0 + stats.delay_ms;
        MediaQuality {
            packets_received: received,
            packets_sent: self.sending.packets,
            packets_lost: lost,
            packets_ignored: self.receiving.packets_ignored,
            packets_unauthentic: self.security.refused.unauthentic,
            jitter_ms: self.receiving.reception.jitter_ms(),
            concealed_ms: stats.concealed_ms,
            mos: quality::mos(Robustness::G711, loss, one_way_ms),
        }
    }
}

/// A key the other side pressed.
pub type Key = dtmf::Digit;
