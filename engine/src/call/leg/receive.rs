//! The receiving half of a leg: which packets are the other side's, and where each of them goes.
//! Playing them out in time is `audio::playout`'s work.

use std::net::SocketAddr;
use std::time::Duration;

use super::Key;
use crate::audio::SAMPLE_RATE_HZ;
use crate::audio::dtmf::DtmfReceiver;
use crate::audio::playout::Playout;
use crate::call::media::MediaSession;
use crate::call::source_lock::SourceLock;
use crate::clock::Moment;
use crate::rtp::rtcp::{self, ReportBlock, RtcpPacket};
use crate::rtp::{ReceptionStats, RtpPacket, round_trip};

/// Comfort noise (RFC 3389): a sender that falls silent; we play silence then anyway.
const COMFORT_NOISE: u8 = 13;

/// How long stragglers of a stream that was replaced are ignored.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// What a datagram meant to the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegInput {
    /// Taken; nothing else is to be done.
    Taken,
    /// A key was pressed.
    Key(Key),
    /// The sender changed its synchronisation source; the packet was taken.
    SsrcChanged(u32),
    /// From somebody else, of another payload type, or not RTP.
    Ignored,
}

/// State of the receiving half.
pub(super) struct Receiving {
    pub(super) rtp_lock: SourceLock,
    pub(super) playout: Playout,
    pub(super) reception: ReceptionStats,
    pub(super) last_packet: Moment,
    pub(super) packets_received: u64,
    pub(super) packets_ignored: u64,
    pub(super) round_trip: Option<Duration>,
    rtcp_source: Option<SocketAddr>,
    ssrc: Option<u32>,
    /// The stream that was replaced, and when.
    replaced: Option<(u32, Moment)>,
    /// Packets lost in streams that were replaced.
    lost_before: u64,
    keys: DtmfReceiver,
}

// === impl Receiving ===

impl Receiving {
    pub(super) fn new(session: &MediaSession, now: Moment) -> Self {
        Self {
            rtp_lock: SourceLock::new(session.remote_rtp, now),
            playout: Playout::new(session.law),
            reception: ReceptionStats::new(SAMPLE_RATE_HZ),
            last_packet: now,
            packets_received: 0,
            packets_ignored: 0,
            round_trip: None,
            rtcp_source: None,
            ssrc: None,
            replaced: None,
            lost_before: 0,
            keys: DtmfReceiver::new(),
        }
    }

    pub(super) fn handle_rtp(
        &mut self,
        now: Moment,
        from: SocketAddr,
        datagram: &[u8],
        session: &MediaSession,
    ) -> LegInput {
        let Some(packet) = self.accept(now, from, datagram, session) else {
            self.packets_ignored += 1;
            return LegInput::Ignored;
        };
        self.last_packet = now;
        self.packets_received += 1;
        let changed = self.follow_ssrc(now, packet.ssrc, session);
        self.reception.on_packet(now, packet.sequence, packet.timestamp);
        if packet.payload_type == session.payload_type {
            self.playout.insert(now, &packet);
        } else {
            self.playout.pass_over(packet.sequence);
        }
        if session.telephone_event == Some(packet.payload_type)
            && let Some(key) = self.keys.push(&packet)
        {
            return LegInput::Key(key);
        }
        match changed {
            true => LegInput::SsrcChanged(packet.ssrc),
            false => LegInput::Taken,
        }
    }

    /// Another 20 ms: a key whose end was lost is taken as released after a while.
    pub(super) fn key_released(&mut self) -> Option<Key> {
        self.keys.tick()
    }

    /// `our_ssrc` and `ntp_now` tell which reports are about what we send, and how old they are.
    pub(super) fn handle_rtcp(
        &mut self,
        now: Moment,
        from: SocketAddr,
        datagram: &[u8],
        session: &MediaSession,
        (our_ssrc, ntp_now): (u32, u64),
    ) {
        let expected = self.rtcp_source.unwrap_or(session.remote_rtcp);
        let same_host = from.ip() == expected.ip() || from.ip() == self.rtp_lock.destination().ip();
        if !same_host {
            self.packets_ignored += 1;
            return;
        }
        self.rtcp_source = Some(from);
        // What cannot be parsed ends the iteration; the reports before it count.
        for packet in rtcp::parse(datagram).map_while(Result::ok) {
            let blocks = match packet {
                RtcpPacket::SenderReport(report) => {
                    self.reception.on_sender_report(now, &report.info);
                    report.blocks
                }
                RtcpPacket::ReceiverReport(report) => report.blocks,
                RtcpPacket::Bye(_) | RtcpPacket::Other { .. } => continue,
            };
            for block in blocks.filter(|b| b.ssrc == our_ssrc) {
                self.round_trip = round_trip(ntp_now, &block).or(self.round_trip);
            }
        }
    }

    /// What our next report says about the stream we receive, if there is one.
    pub(super) fn report_block(&mut self, now: Moment) -> Option<ReportBlock> {
        self.ssrc.map(|ssrc| self.reception.report(now, ssrc))
    }

    /// Where reports go; nowhere while the other side names no address (an old way to hold a call).
    pub(super) fn rtcp_destination(&self, session: &MediaSession) -> Option<SocketAddr> {
        let to = if session.rtcp_mux {
            self.rtp_lock.destination()
        } else {
            self.rtcp_source.unwrap_or(session.remote_rtcp)
        };
        (!to.ip().is_unspecified()).then_some(to)
    }

    pub(super) fn change(&mut self, now: Moment, old: &MediaSession, new: &MediaSession) {
        if old.remote_rtp != new.remote_rtp {
            self.rtp_lock.signal(new.remote_rtp, now);
            self.rtcp_source = None;
        }
        if old.law != new.law {
            self.playout.restart(new.law);
        }
        self.last_packet = now;
    }

    pub(super) fn packets_lost(&self) -> u64 {
        self.lost_before + self.reception.lost()
    }

    /// The packet, if it is the other side's.
    fn accept<'a>(
        &mut self,
        now: Moment,
        from: SocketAddr,
        datagram: &'a [u8],
        session: &MediaSession,
    ) -> Option<RtpPacket<'a>> {
        let packet = RtpPacket::parse(datagram).ok()?;
        let known = packet.payload_type == session.payload_type
            || session.telephone_event == Some(packet.payload_type)
            || packet.payload_type == COMFORT_NOISE;
        let straggler = self.replaced.is_some_and(|(ssrc, at)| ssrc == packet.ssrc && now.since(at) < STRAGGLERS);
        (known && !straggler && self.rtp_lock.admit(from, now)).then_some(packet)
    }

    /// Starts afresh when the sender does. True if a stream was replaced by another.
    fn follow_ssrc(&mut self, now: Moment, ssrc: u32, session: &MediaSession) -> bool {
        let Some(old) = self.ssrc.replace(ssrc).filter(|&old| old != ssrc) else { return false };
        self.replaced = Some((old, now));
        self.lost_before += self.reception.lost();
        self.reception = ReceptionStats::new(SAMPLE_RATE_HZ);
        self.playout.restart(session.law);
        self.keys = DtmfReceiver::new();
        true
    }
}
