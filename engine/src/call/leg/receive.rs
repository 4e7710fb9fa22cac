//! The receiving half of a leg: which packets are the other side's, and where each of them goes.
//! Playing them out in time is `audio::playout`'s work.

use std::net::SocketAddr;
use std::time::Duration;

use super::Key;
use crate::audio::dtmf::DtmfReceiver;
use crate::audio::playout::Playout;
use crate::call::media::MediaSession;
use crate::call::source_lock::{Admission, SourceLock};
use crate::clock::Moment;
use crate::rtp::rtcp::{self, ReportBlock, RtcpPacket};
use crate::rtp::{ReceptionStats, RtpPacket, round_trip};

/// Static payload type of comfort noise (RFC 3389), which some send without having agreed on it.
const COMFORT_NOISE: u8 = 13;

/// How long stragglers of a stream that was replaced are ignored.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// A stream that goes on may have lost so many packets in between (RFC 3550 appendix A.1).
const MAX_DROPOUT: u16 = 3000;

/// Packets of ours (1 s) that a report must know of, or they did not arrive; fewer may still be on their way.
const WORTH_A_REPORT: u64 = 50;

/// A round trip older than this says nothing of the line any more: six mean report intervals.
const ROUND_TRIP_HOLDS: Duration = Duration::from_secs(30);

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
    /// When RTCP of the other side came last.
    pub(super) last_report: Moment,
    pub(super) packets_received: u64,
    pub(super) packets_ignored: u64,
    /// Packets that are RTP and were ignored, by why.
    pub(super) ignored: Ignored,
    /// The source before the last one, until it is asked for.
    pub(super) moved_from: Option<SocketAddr>,
    /// What the other side's reports say of our stream.
    pub(super) reports: Reports,
    rtcp_source: Option<SocketAddr>,
    pub(super) ssrc: Option<u32>,
    /// Number of the packet taken last.
    sequence: u16,
    /// The stream that was replaced, and when.
    replaced: Option<(u32, Moment)>,
    /// Packets lost, and the runs of them, in streams that were replaced.
    lost_before: u64,
    runs_before: u64,
    keys: DtmfReceiver,
}

/// RTP that was not taken, for the diagnosis.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ignored {
    /// From another source than the leg's: how many, and the last one's.
    pub foreign: u32,
    pub foreign_source: Option<SocketAddr>,
    /// Of a payload type that was not agreed on: how many in a row, and the last one's.
    pub payload: u32,
    pub payload_type: u8,
}

/// The other side's view of what we send, from its report blocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reports {
    pub round_trip: Option<(Duration, Moment)>,
    /// Reports in a row by which nothing of ours arrived though we sent, and when the first of them came.
    pub deaf: u32,
    pub deaf_since: Moment,
    /// Packets we had sent by the last report.
    sent: u64,
    /// Highest sequence number they saw; `None` until a report mentions our stream.
    pub highest: Option<u32>,
    /// Part of our packets the last report says were lost, of 256; until it is asked for.
    pub lost: Option<u8>,
    /// The other side said that its stream ends (BYE).
    pub said_bye: bool,
}

/// Our own stream, as reports about it are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ours {
    pub ssrc: u32,
    /// Packets sent so far.
    pub packets: u64,
    /// NTP time now, on the clock of our sender reports.
    pub ntp_now: u64,
}

// === impl Reports ===

impl Reports {
    /// Takes in one report: with the block about our stream, if it has one.
    fn take(&mut self, now: Moment, block: Option<ReportBlock>, ours: &Ours) {
        let sent = ours.packets.saturating_sub(self.sent);
        if block.is_some_and(|block| self.highest != Some(block.highest_sequence)) {
            self.deaf = 0;
        } else if sent >= WORTH_A_REPORT {
            if self.deaf == 0 {
                self.deaf_since = now;
            }
            self.deaf += 1;
        }
        self.sent = ours.packets;
        let Some(block) = block else { return };
        self.highest = Some(block.highest_sequence);
        self.lost = Some(block.fraction_lost);
        if let Some(round_trip) = round_trip(ours.ntp_now, &block) {
            self.round_trip = Some((round_trip, now));
        }
    }

    /// Forgets a round trip that was measured too long ago.
    pub fn expire(&mut self, now: Moment) {
        self.round_trip = self.round_trip.filter(|(_, at)| now.since(*at) < ROUND_TRIP_HOLDS);
    }
}

// === impl Receiving ===

impl Receiving {
    pub(super) fn new(session: &MediaSession, now: Moment) -> Self {
        Self {
            rtp_lock: SourceLock::new(session.remote_rtp, now),
            playout: Playout::new(session.codec),
            reception: ReceptionStats::new(session.codec.clock_rate_hz()),
            last_packet: now,
            last_report: now,
            packets_received: 0,
            packets_ignored: 0,
            ignored: Ignored::default(),
            moved_from: None,
            reports: Reports::default(),
            rtcp_source: None,
            ssrc: None,
            sequence: 0,
            replaced: None,
            lost_before: 0,
            runs_before: 0,
            keys: DtmfReceiver::new(session.event_clock_hz),
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
        self.sequence = packet.sequence;
        self.reports.said_bye = false;
        let changed = self.follow_ssrc(now, packet.ssrc, session);
        self.reception.on_packet(now, packet.sequence, packet.timestamp);
        if is_audio(packet.payload_type, session) {
            self.playout.insert(now, &packet);
        } else if is_noise(packet.payload_type, session) {
            self.playout.pause_with_noise(&packet);
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

    /// `ours` tells which reports are about what we send, and how old they are.
    pub(super) fn handle_rtcp(
        &mut self,
        now: Moment,
        from: SocketAddr,
        datagram: &[u8],
        session: &MediaSession,
        ours: &Ours,
    ) {
        let expected = self.rtcp_source.unwrap_or(session.remote_rtcp);
        let same_host = from.ip() == expected.ip() || from.ip() == self.rtp_lock.destination().ip();
        if !same_host {
            self.packets_ignored += 1;
            return;
        }
        self.rtcp_source = Some(from);
        self.last_report = now;
        // What cannot be parsed ends the iteration; the reports before it count.
        for packet in rtcp::parse(datagram).map_while(Result::ok) {
            let mut blocks = match packet {
                RtcpPacket::SenderReport(report) => {
                    if self.ssrc.is_none_or(|ssrc| ssrc == report.ssrc) {
                        self.reception.on_sender_report(now, &report.info);
                    }
                    report.blocks
                }
                RtcpPacket::ReceiverReport(report) => report.blocks,
                RtcpPacket::Bye(bye) => {
                    self.reports.said_bye |= bye.sources().any(|source| Some(source) == self.ssrc);
                    continue;
                }
                RtcpPacket::Other { .. } => continue,
            };
            let block = blocks.find(|block| block.ssrc == ours.ssrc);
            self.reports.take(now, block, ours);
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
        if old.event_clock_hz != new.event_clock_hz {
            self.keys = DtmfReceiver::new(new.event_clock_hz);
        }
        if !new.codec.decodes(old.codec) {
            self.playout.restart(new.codec);
        }
        if old.codec.clock_rate_hz() != new.codec.clock_rate_hz() {
            self.lost_before += self.reception.lost();
            self.runs_before += self.reception.loss_runs();
            self.reception = ReceptionStats::new(new.codec.clock_rate_hz());
        }
        self.last_packet = now;
    }

    pub(super) fn packets_lost(&self) -> u64 {
        self.lost_before + self.reception.lost()
    }

    /// Runs of one or more lost packets.
    pub(super) fn loss_runs(&self) -> u64 {
        self.runs_before + self.reception.loss_runs()
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
        let known = is_audio(packet.payload_type, session)
            || session.telephone_event == Some(packet.payload_type)
            || is_noise(packet.payload_type, session);
        let straggler = self.replaced.is_some_and(|(ssrc, at)| ssrc == packet.ssrc && now.since(at) < STRAGGLERS);
        if straggler {
            return None;
        }
        if !known {
            // Of whom it is believed only: anybody can send anything.
            if self.rtp_lock.source().is_none_or(|source| source == from) {
                self.ignored.payload = self.ignored.payload.saturating_add(1);
                self.ignored.payload_type = packet.payload_type;
            }
            return None;
        }
        let continues =
            self.ssrc == Some(packet.ssrc) && (1..MAX_DROPOUT).contains(&packet.sequence.wrapping_sub(self.sequence));
        let admission = self.rtp_lock.admit(from, now, continues);
        if admission == Admission::Foreign {
            self.ignored.foreign = self.ignored.foreign.saturating_add(1);
            self.ignored.foreign_source = Some(from);
            return None;
        }
        if let Admission::Moved(old) = admission {
            self.moved_from = Some(old);
        }
        self.ignored.payload = 0;
        // It was foreign only until it was known.
        if self.ignored.foreign_source == Some(from) {
            (self.ignored.foreign, self.ignored.foreign_source) = (0, None);
        }
        Some(packet)
    }

    /// Starts afresh when the sender does. True if a stream was replaced by another.
    fn follow_ssrc(&mut self, now: Moment, ssrc: u32, session: &MediaSession) -> bool {
        let Some(old) = self.ssrc.replace(ssrc).filter(|&old| old != ssrc) else { return false };
        self.replaced = Some((old, now));
        self.lost_before += self.reception.lost();
        self.runs_before += self.reception.loss_runs();
        self.reception = ReceptionStats::new(session.codec.clock_rate_hz());
        self.playout.restart(session.codec);
        self.keys = DtmfReceiver::new(session.event_clock_hz);
        true
    }
}

/// Of the number that was agreed on for this direction, or the one we send by, as many do.
fn is_audio(payload_type: u8, session: &MediaSession) -> bool {
    payload_type == session.receive_payload_type || payload_type == session.payload_type
}

fn is_noise(payload_type: u8, session: &MediaSession) -> bool {
    session.comfort_noise == Some(payload_type) || payload_type == COMFORT_NOISE
}
