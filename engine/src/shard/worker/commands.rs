//! What others ask of a shard: places, calls, changes, ends.
//! A round takes a bounded number, so that a flood of them does not delay packets.

use std::sync::atomic::Ordering::Relaxed;

use edge_protocol::EndCause;

use super::Worker;
use crate::call::{Call, MediaSession};
use crate::clock::Moment;
use crate::shard::calls::LiveCall;
use crate::shard::tape::Tape;
use crate::shard::{CallKey, Reservation, ShardCommand};

/// Commands taken in one round.
const COMMANDS_A_ROUND: usize = 256;

impl Worker {
    /// False when the shard is to stop.
    pub(super) fn take_commands(&mut self) -> bool {
        for _ in 0..COMMANDS_A_ROUND {
            let Ok(command) = self.commands.try_recv() else { return true };
            let now = self.config.clock.now();
            match command {
                ShardCommand::Reserve { rtp, rtcp, reply } => {
                    let index = self.calls.next_index();
                    let reserved = self.sockets.reserve(self.poll.registry(), index, rtp, rtcp);
                    let reservation = reserved.map(|r| Reservation { key: self.calls.reserve(r), port: r.port });
                    if let Err(Ok(unwanted)) = reply.send(reservation) {
                        self.release(unwanted.key);
                    }
                }
                ShardCommand::Start { key, setup, recording, notices } => {
                    let Some(reserved) = self.calls.reservation(key) else { continue };
                    if self.calls.taken() == 1 {
                        self.ticker.resume(now);
                    }
                    let rtcp = (!setup.session.rtcp_mux).then_some(setup.session.remote_rtcp);
                    let rtp = setup.session.remote_rtp;
                    self.sockets.signal(self.poll.registry(), reserved.socket, key.index, rtp, rtcp);
                    let slot = self.ticker.place(key.index);
                    let law = setup.session.law;
                    let tape = recording.map(|id| Tape::new(id, law));
                    let call = Call::new(now, *setup);
                    let live =
                        LiveCall { key, call, reserved, slot, tape, notices, source_learned: false, ended: false };
                    self.calls.start(live);
                    self.pump(key.index, now);
                }
                ShardCommand::Release { key } => self.release(key),
                ShardCommand::Change { key, session } => self.change(now, key, *session),
                ShardCommand::Speech { key, event } => {
                    if let Some(live) = self.calls.get_mut(key) {
                        live.call.handle_speech(now, event);
                        self.pump(key.index, now);
                    }
                }
                ShardCommand::End { key, cause } => self.end(now, key, cause),
                ShardCommand::Stop => {
                    self.end_all(now);
                    return false;
                }
            }
            self.stats.calls.store(self.calls.taken(), Relaxed);
        }
        true
    }

    /// The node stops: calls that outlived the drain are ended here, and their last facts waited for.
    fn end_all(&mut self, now: Moment) {
        for key in self.calls.keys() {
            self.end(now, key, EndCause::NodeStopped);
            while let Some(fact) = self.calls.get_mut(key).and_then(|live| live.call.pop_fact()) {
                if self.config.events.blocking_send(fact).is_err() {
                    return;
                }
            }
            self.pump(key.index, now);
        }
    }

    fn change(&mut self, now: Moment, key: CallKey, session: MediaSession) {
        let Some(live) = self.calls.get_mut(key) else { return };
        let rtcp = (!session.rtcp_mux).then_some(session.remote_rtcp);
        let rtp = session.remote_rtp;
        live.call.change_media(now, session);
        // The next packet tells the source again, whether it is a new one or not.
        live.source_learned = false;
        let socket = live.reserved.socket;
        self.sockets.signal(self.poll.registry(), socket, key.index, rtp, rtcp);
        self.pump(key.index, now);
    }

    fn release(&mut self, key: CallKey) {
        if let Some(reserved) = self.calls.reservation(key) {
            self.sockets.release(reserved.socket, key.index, self.config.clock.now());
            self.calls.free(key);
        }
    }

    fn end(&mut self, now: Moment, key: CallKey, cause: EndCause) {
        self.release(key);
        let Some(live) = self.calls.get_mut(key) else { return };
        live.ended = true;
        let (socket, mux) = (live.reserved.socket, live.call.session().rtcp_mux);
        if let Some(bye) = live.call.end(now, cause, self.batch.next_packet()) {
            self.batch.push(bye.bytes, bye.to);
        }
        let kind = self.sockets.rtcp_kind(socket, mux);
        self.flush(socket, kind);
        self.pump(key.index, now);
    }
}
