//! What others ask of a shard: places, calls, changes, ends.
//! A round takes a bounded number, so that a flood of them does not delay packets.

use std::sync::atomic::Ordering::Relaxed;

use edge_protocol::EndCause;

use futures::channel::mpsc::Sender;

use super::Worker;
use crate::call::{Call, CallSetup, MediaSession, MediaSetup};
use crate::clock::Moment;
use crate::recorder::RecordingId;
use crate::shard::calls::{LiveCall, Wire};
use crate::shard::tape::Tape;
use crate::shard::ticker::Pace;
use crate::shard::{CallKey, CallNotice, Reservation, ShardCommand};

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
                    let reservation = reserved.map(|r| Reservation { key: self.calls.reserve(Some(r)), port: r.port });
                    if let Err(Ok(unwanted)) = reply.send(reservation) {
                        self.release(unwanted.key);
                    }
                }
                ShardCommand::Start { key, setup, recording, notices } => {
                    let (Some(reserved), MediaSetup::Rtp { session, .. }) = (self.calls.reservation(key), &setup.media)
                    else {
                        continue;
                    };
                    let rtcp = (!session.rtcp_mux).then_some(session.remote_rtcp);
                    let rtp = session.remote_rtp;
                    self.sockets.signal(self.poll.registry(), reserved.socket, key.index, rtp, rtcp);
                    self.start(now, key, Wire::Udp(reserved), *setup, recording, notices);
                }
                ShardCommand::StartFrames { setup, link, recording, notices, reply } => {
                    let key = self.calls.reserve(None);
                    self.start(now, key, Wire::Frames(link), *setup, recording, notices);
                    // Nobody waits for it any more: then the link is abandoned too, and the next tick ends the call.
                    let _ = reply.send(key);
                }
                ShardCommand::Release { key } => self.release(key),
                ShardCommand::Change { key, session } => self.change(now, key, *session),
                ShardCommand::Speech { key, event } => {
                    if let Some(live) = self.calls.get_mut(key) {
                        live.call.handle_speech(now, event);
                        self.pump(key.index, now);
                    }
                }
                ShardCommand::KeyPressed { key, digit } => {
                    if let Some(live) = self.calls.get_mut(key) {
                        live.call.handle_key(now, digit);
                        self.pump(key.index, now);
                    }
                }
                ShardCommand::SendKeys { key, keys, reply } => {
                    if let Some(live) = self.calls.get_mut(key) {
                        // Whoever asked may be gone.
                        let _ = reply.send(live.call.send_keys(&keys));
                    }
                }
                ShardCommand::Tell { key, command } => {
                    if let Some(live) = self.calls.get_mut(key) {
                        live.call.command(now, command);
                        self.pump(key.index, now);
                    }
                }
                ShardCommand::Bridge { ends, reply } => {
                    let joined = self.bridge(now, ends);
                    // Nobody waits for it any more: then it is not wanted either.
                    if reply.send(joined).is_err() && joined {
                        self.unbridge(now, ends[0].key);
                    }
                }
                ShardCommand::Unbridge { key } => self.unbridge(now, key),
                ShardCommand::Await { awaited, by } => {
                    if let Some(live) = self.calls.get_mut(awaited) {
                        live.awaited_by = by;
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

    fn start(
        &mut self,
        now: Moment,
        key: CallKey,
        wire: Wire,
        setup: CallSetup,
        recording: Option<RecordingId>,
        notices: Sender<CallNotice>,
    ) {
        if self.calls.taken() == 1 {
            self.ticker.resume(now);
        }
        let (slot, ticked) = (self.ticker.place(key.index, Pace::Frame), self.ticker.next());
        let law = setup.media.law();
        let tape = recording.map(|id| Tape::new(id, law));
        let call = Call::new(now, setup);
        self.calls.start(LiveCall {
            key,
            call,
            wire,
            slot,
            ticked,
            tape,
            peer: None,
            awaited_by: None,
            notices,
            learned: None,
            ended: false,
        });
        self.pump(key.index, now);
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
        let Some(socket) = live.socket() else { return };
        let rtcp = (!session.rtcp_mux).then_some(session.remote_rtcp);
        let rtp = session.remote_rtp;
        live.call.change_media(now, session);
        // The next packet tells the source again, whether it is a new one or not.
        live.learned = None;
        self.sockets.signal(self.poll.registry(), socket, key.index, rtp, rtcp);
        self.pump(key.index, now);
    }

    fn release(&mut self, key: CallKey) {
        if let Some(reserved) = self.calls.reservation(key) {
            self.sockets.release(reserved.socket, key.index, self.config.clock.now());
            self.calls.free(key);
        }
    }

    pub(super) fn end(&mut self, now: Moment, key: CallKey, cause: EndCause) {
        self.release(key);
        self.part(now, key);
        let Some(live) = self.calls.get_mut(key) else { return };
        live.ended = true;
        let (socket, mux) = (live.socket(), live.rtcp_mux());
        if let Some(bye) = live.call.end(now, cause, self.batch.next_packet()) {
            self.batch.push(bye.bytes, bye.to);
        }
        if let Some(socket) = socket {
            let kind = self.sockets.rtcp_kind(socket, mux);
            self.flush(socket, kind);
        }
        self.pump(key.index, now);
    }
}
