//! Packets in: waiting for the next slot, then taking what the sockets have, in batches, each datagram to its call.
//! No lock, no log and no allocation per packet.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use mio::Events;

use super::{WAKER, Worker};
use crate::rtp::{is_rtcp, ssrc_of};
use crate::transport::{ChannelKind, MediaSockets, SocketIndex};

/// Batches read from one socket in one round.
const BATCHES_A_ROUND: usize = 16;

/// Longest sleep of a shard without calls.
const IDLE: Duration = Duration::from_millis(500);

impl Worker {
    /// Sleeps until a slot is due (or, without calls, until woken), then notes which sockets have something.
    /// Looking at sockets once a millisecond takes their packets in batches.
    #[expect(clippy::disallowed_methods, reason = "this thread is the ticker: the next slot is what it waits for")]
    pub(super) fn note_readable(&mut self, events: &mut Events) {
        let now = self.config.clock.now();
        let timeout = if self.calls.taken() == 0 {
            self.bell.sleep();
            if self.commands.is_empty() { IDLE } else { Duration::ZERO }
        } else {
            let wait = self.ticker.due().since(now);
            if !wait.is_zero() && self.readable.is_empty() {
                std::thread::sleep(wait);
            }
            Duration::ZERO
        };
        // An interrupted poll is a poll without events.
        let polled = self.poll.poll(events, Some(timeout));
        self.bell.awake();
        if polled.is_err() {
            return;
        }
        for event in events.iter().filter(|e| e.token() != WAKER) {
            let channel = MediaSockets::of_token(event.token());
            if !self.readable.contains(&channel) {
                self.readable.push(channel);
            }
        }
    }

    pub(super) fn read_sockets(&mut self) {
        let mut at = 0;
        while let Some(&(socket, kind)) = self.readable.get(at) {
            if self.read(socket, kind) {
                at += 1;
            } else {
                self.readable.swap_remove(at);
            }
        }
    }

    /// Reads some batches from one socket. True if there may be more.
    fn read(&mut self, socket: SocketIndex, kind: ChannelKind) -> bool {
        for _ in 0..BATCHES_A_ROUND {
            let Some(fd) = self.sockets.fd(socket, kind) else { return false };
            // An error here is one a datagram of ours caused (ICMP unreachable); the socket goes on.
            let more = self.inbound.receive(fd).unwrap_or(true);
            let now = self.config.clock.now();
            let mut received = 0;
            let mut strays = 0;
            for (from, datagram) in self.inbound.datagrams() {
                received += 1;
                let index = self.sockets.call_for(socket, kind, from, ssrc_of(datagram), now);
                let Some(live) = index.and_then(|i| self.calls.at_mut(i)) else {
                    strays += 1;
                    continue;
                };
                if live.ended {
                    continue;
                }
                if is_rtcp(datagram) {
                    live.call.handle_rtcp(now, from, datagram);
                    continue;
                }
                if kind == ChannelKind::Rtcp {
                    continue;
                }
                let taken = live.call.handle_rtp(now, from, datagram);
                let stream = live.call.learned_stream();
                if taken && live.learned != stream {
                    live.learned = stream;
                    if let Some((source, ssrc)) = stream {
                        self.sockets.learn(socket, live.key.index, source, ssrc);
                    }
                }
            }
            self.stats.datagrams_received.fetch_add(received, Relaxed);
            self.stats.strays.fetch_add(strays, Relaxed);
            if !more {
                return false;
            }
        }
        true
    }
}
