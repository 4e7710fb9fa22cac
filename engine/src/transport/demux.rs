//! Which call a datagram at a shared socket is for, told by where it comes from.
//! Whether the call then believes it is the call's own decision.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::Moment;

/// How long the packets of a call that is over may still come; they are nobody's then.
const STRAGGLERS: Duration = Duration::from_secs(3);

/// Place of a call within its shard.
pub type CallIndex = u32;

/// The calls of one socket by the source of their media.
#[derive(Debug, Default)]
pub struct Demux {
    by_source: HashMap<SocketAddr, CallIndex>,
    /// Streams by their synchronisation source: one that goes on from elsewhere (NAT) finds its call by it.
    by_ssrc: HashMap<u32, CallIndex>,
    /// The one call whose source may turn out to be another than its SDP says (NAT).
    unlearned: Option<CallIndex>,
    /// Sources of calls that are over, and until when their stragglers are expected.
    departed: Vec<(SocketAddr, Moment)>,
}

// === impl Demux ===

impl Demux {
    /// Whether a call may join whose SDP names `signalled` (`None`: no SDP seen yet).
    pub fn has_room_for(&self, signalled: Option<SocketAddr>) -> bool {
        self.unlearned.is_none() && signalled.is_none_or(|s| !self.by_source.contains_key(&s))
    }

    pub fn join(&mut self, call: CallIndex, signalled: Option<SocketAddr>) {
        self.unlearned.get_or_insert(call);
        if let Some(signalled) = signalled {
            self.by_source.entry(signalled).or_insert(call);
        }
    }

    /// The call a datagram from `source` is for, if any can be. From an unknown source that is the one whose stream it
    /// goes on with (`ssrc`), or the one whose source is not known yet, or the only one: the call does not have to
    /// believe it, but is to know of it.
    pub fn call_for(&self, source: SocketAddr, ssrc: Option<u32>, now: Moment) -> Option<CallIndex> {
        if let Some(call) = self.by_source.get(&source) {
            return Some(*call);
        }
        if self.departed.iter().any(|(departed, until)| *departed == source && now < *until) {
            return None;
        }
        ssrc.and_then(|ssrc| self.by_ssrc.get(&ssrc).copied()).or(self.unlearned).or_else(|| self.only_call())
    }

    /// The call's stream is known now: the socket has room for the next one.
    pub fn learn(&mut self, call: CallIndex, source: SocketAddr, ssrc: u32) {
        self.by_source.entry(source).or_insert(call);
        self.by_ssrc.retain(|_, c| *c != call);
        self.by_ssrc.insert(ssrc, call);
        if self.unlearned == Some(call) {
            self.unlearned = None;
        }
    }

    pub fn leave(&mut self, call: CallIndex, now: Moment) {
        self.departed.retain(|(_, until)| now < *until);
        let sources = self.by_source.iter().filter(|(_, c)| **c == call);
        self.departed.extend(sources.map(|(source, _)| (*source, now + STRAGGLERS)));
        self.by_source.retain(|_, c| *c != call);
        self.by_ssrc.retain(|_, c| *c != call);
        if self.unlearned == Some(call) {
            self.unlearned = None;
        }
    }

    fn only_call(&self) -> Option<CallIndex> {
        let mut calls = self.by_ssrc.values();
        calls.next().copied().filter(|_| calls.next().is_none())
    }
}

#[cfg(test)]
mod tests;
