//! Two calls of a shard that hear each other: joined, fed with each other's frames at their ticks, parted.
//! What a call does with the other one's audio, and when it is left, is the call's own decision.

use super::Worker;
use crate::clock::Moment;
use crate::shard::{BridgeEnd, CallKey};
use crate::transport::CallIndex;

impl Worker {
    /// Joins two calls. False if one of them is not live, or both are the same.
    pub(super) fn bridge(&mut self, now: Moment, ends: [BridgeEnd; 2]) -> bool {
        let [one, other] = ends;
        let names = [one, other].map(|end| self.calls.going_on(end.key).map(|live| live.call.id().to_owned()));
        let [Some(one_name), Some(other_name)] = names else { return false };
        if one.key == other.key {
            return false;
        }
        self.part(now, one.key);
        self.part(now, other.key);
        for (end, with, name) in [(one, other, other_name), (other, one, one_name)] {
            if let Some(live) = self.calls.going_on(end.key) {
                live.peer = Some(with.key);
                live.awaited_by = None;
                live.call.bridge(now, &name, end.when_left);
            }
            self.pump(end.key.index, now);
        }
        true
    }

    /// Parts a call from its peer; each of them does what it does when it is left.
    pub(super) fn unbridge(&mut self, now: Moment, key: CallKey) {
        self.part(now, key);
        self.left(now, key);
    }

    /// The other end of the call's bridge, if there is one, is left alone.
    pub(super) fn part(&mut self, now: Moment, key: CallKey) {
        let peer = self.calls.get_mut(key).and_then(|live| live.peer);
        if let Some(peer) = peer {
            self.left(now, peer);
        }
    }

    fn left(&mut self, now: Moment, key: CallKey) {
        let Some(live) = self.calls.get_mut(key) else { return };
        if live.peer.take().is_some() {
            live.call.peer_left(now);
            self.pump(key.index, now);
        }
    }

    /// After a call's tick: what it heard goes to the call that waits for it, or the one it is bridged to, which plays it at its own next tick. Both
    /// tick every 20 ms, so that no frame is lost or waits longer.
    pub(super) fn cross(&mut self, index: CallIndex) {
        let Some(live) = self.calls.at_mut(index) else { return };
        if let Some(waiting) = live.awaited_by {
            let early = live.call.early_media();
            if let (Some(audio), Some(other)) = (early, self.calls.going_on(waiting)) {
                other.call.hear_early(audio);
            }
            return;
        }
        let Some(peer) = live.peer else { return };
        let Some(crossing) = live.call.take_crossing() else { return };
        if let Some(other) = self.calls.going_on(peer) {
            other.call.hear_peer(crossing);
        }
    }
}
