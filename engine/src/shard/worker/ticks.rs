//! Packets out: the rounds that are due, every call in them ticked, what they say sent in batches.
//! No lock, no log and no allocation per tick.

use std::sync::atomic::Ordering::Relaxed;

use edge_protocol::EndCause;

use super::Worker;
use crate::clock::Moment;
use crate::shard::calls::Wire;
use crate::shard::ticker::Round;
use crate::transport::{CallIndex, ChannelKind, SocketIndex};

impl Worker {
    pub(super) fn tick_due(&mut self) {
        // Rounds that fall due while these are worked off wait: packets and commands come first.
        let until = self.config.clock.now();
        while let Some((round, due)) = self.ticker.next_due(until) {
            let now = self.config.clock.now();
            if self.ticker.calls(round).iter().all(|calls| calls.is_empty()) {
                continue;
            }
            self.stats.slot_began(now.since(due));
            self.tick_round(round, now);
        }
    }

    fn tick_round(&mut self, round: Round, now: Moment) {
        self.due.clear();
        for calls in self.ticker.calls(round) {
            let first = self.due.len();
            self.due.extend_from_slice(calls);
            // The batch goes through one socket at a time. Two calls that hear each other keep their order.
            let Some(calls) = self.due.get_mut(first..) else { continue };
            calls.sort_unstable_by_key(|&index| (self.calls.socket_of(index), index));
        }
        let mut through: Option<SocketIndex> = None;
        for at in 0..self.due.len() {
            let Some(&index) = self.due.get(at) else { break };
            if let Some(&next) = self.due.get(at + 1) {
                self.calls.fetch_ahead(next);
            }
            let Some(live) = self.calls.at_mut(index) else { continue };
            if live.ended {
                self.pump(index, now);
                continue;
            }
            let missed = round.frames_since(std::mem::replace(&mut live.ticked, round)) - 1;
            if missed > 0 {
                live.call.pass_over(missed);
                live.tape.iter_mut().for_each(|tape| tape.pass_over(missed, &mut self.config.tap));
            }
            let Some(socket) = live.socket() else {
                self.tick_frames(index, now);
                continue;
            };
            if through.is_some_and(|t| t != socket) {
                self.flush_through(through);
            }
            through = Some(socket);
            self.tick_packets(index, socket, now);
            self.cross(index);
            self.report(index, socket, now);
            self.pump(index, now);
        }
        self.flush_through(through);
    }

    fn tick_packets(&mut self, index: CallIndex, socket: SocketIndex, now: Moment) {
        let Some(live) = self.calls.at_mut(index) else { return };
        let mut sent = live.call.tick(now, self.batch.next_packet());
        if let Some(tape) = live.tape.as_mut() {
            tape.take(live.call.last_frames(), &mut self.config.tap);
        }
        while let Some(packet) = sent {
            if self.batch.push(packet.bytes, packet.to) {
                self.flush(socket, ChannelKind::Rtp);
            }
            let Some(live) = self.calls.at_mut(index) else { return };
            sent = live.call.send_more(self.batch.next_packet());
        }
        while let Some(live) = self.calls.at_mut(index)
            && let Some(handshake) = live.call.send_handshake(now, self.batch.next_packet())
        {
            if self.batch.push(handshake.bytes, handshake.to) {
                self.flush(socket, ChannelKind::Rtp);
            }
        }
    }

    /// A call whose media are frames; it ends by itself when nobody is left to carry them.
    fn tick_frames(&mut self, index: CallIndex, now: Moment) {
        let Some(live) = self.calls.at_mut(index) else { return };
        let Wire::Frames(link) = &mut live.wire else { return };
        if link.is_abandoned() {
            let key = live.key;
            return self.end(now, key, EndCause::SignallingFailed);
        }
        link.take_in(now, &mut live.call);
        live.call.tick(now, self.batch.next_packet());
        if let Some(tape) = live.tape.as_mut() {
            tape.take(live.call.last_frames(), &mut self.config.tap);
        }
        link.hand_over(&mut live.call);
        self.cross(index);
        self.pump(index, now);
    }

    /// Adds the call's RTCP report to the batch, if one is due.
    fn report(&mut self, index: CallIndex, socket: SocketIndex, now: Moment) {
        let Some(live) = self.calls.at_mut(index) else { return };
        let mux = live.rtcp_mux();
        let Some(report) = live.call.send_report(now, self.batch.next_packet()) else { return };
        let kind = self.sockets.rtcp_kind(socket, mux);
        if kind == ChannelKind::Rtp {
            if self.batch.push(report.bytes, report.to) {
                self.flush(socket, kind);
            }
            return;
        }
        // It leaves by a socket of its own: what waits for the other one goes first.
        let packet = *self.batch.next_packet();
        self.flush(socket, ChannelKind::Rtp);
        *self.batch.next_packet() = packet;
        self.batch.push(report.bytes, report.to);
        self.flush(socket, kind);
    }

    fn flush_through(&mut self, socket: Option<SocketIndex>) {
        if let Some(socket) = socket {
            self.flush(socket, ChannelKind::Rtp);
        }
    }

    pub(super) fn flush(&mut self, socket: SocketIndex, kind: ChannelKind) {
        let Some(fd) = self.sockets.fd(socket, kind) else { return };
        let (sent, refused) = self.batch.flush(fd);
        self.stats.packets_sent.fetch_add(sent as u64, Relaxed);
        self.stats.packets_refused.fetch_add(refused as u64, Relaxed);
    }
}
