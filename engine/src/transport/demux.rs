//! Which call a datagram at a shared socket is for, told by where it comes from.
//! Whether the call then believes it is the call's own decision.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use ahash::{HashMap, HashSet};

use crate::clock::Moment;

/// How long the packets of a call that is over may still come; they are nobody's then.
const STRAGGLERS: Duration = Duration::from_secs(3);

/// Place of a call within its shard.
pub type CallIndex = u32;

/// The calls of one socket by the source of their media. Asked for every packet, so hashed by something faster than SipHash,
/// seeded at random like it.
#[derive(Debug, Default)]
pub struct Demux {
    by_source: HashMap<SocketAddr, CallIndex>,
    /// Streams by their synchronisation source: one that goes on from elsewhere (NAT) finds its call by it.
    by_ssrc: HashMap<u32, CallIndex>,
    /// What of the two leads to each call.
    known: HashMap<CallIndex, Known>,
    /// Calls whose source may turn out to be another than their SDP says (NAT).
    unlearned: HashSet<CallIndex>,
    /// Sources of calls that are over, and until when their stragglers are expected.
    departed: VecDeque<(SocketAddr, Moment)>,
}

/// A call's keys.
#[derive(Debug, Default)]
struct Known {
    sources: Vec<SocketAddr>,
    ssrc: Option<u32>,
}

// === impl Demux ===

impl Demux {
    /// Whether a call may join whose source may be any, and whose SDP names `signalled` (`None`: no SDP seen yet).
    pub fn has_room_for(&self, signalled: Option<SocketAddr>) -> bool {
        self.all_learned() && signalled.is_none_or(|signalled| self.is_free(signalled))
    }

    /// Whether every call's source is known.
    pub fn all_learned(&self) -> bool {
        self.unlearned.is_empty()
    }

    /// Whether no call has this source.
    pub fn is_free(&self, source: SocketAddr) -> bool {
        !self.by_source.contains_key(&source)
    }

    /// A call joins, or has a new SDP, after which its source may be another.
    pub fn join(&mut self, call: CallIndex, signalled: Option<SocketAddr>) {
        if self.unlearned.is_empty() || !self.known.contains_key(&call) {
            self.unlearned.insert(call);
        }
        self.known.entry(call).or_default();
        if let Some(signalled) = signalled {
            self.comes_from(call, signalled);
        }
    }

    /// The call a datagram from `source` is for, if any can be. From an unknown source that is the one whose stream it
    /// goes on with (`ssrc`), or the one whose source is not known yet, or the only one: the call does not have to
    /// believe it, but is to know of it. Where several sources are not known yet it could be anybody's, and is nobody's.
    pub fn call_for(&self, source: SocketAddr, ssrc: Option<u32>, now: Moment) -> Option<CallIndex> {
        if let Some(call) = self.by_source.get(&source) {
            return Some(*call);
        }
        if self.departed.iter().any(|(departed, until)| *departed == source && now < *until) {
            return None;
        }
        let goes_on = ssrc.and_then(|ssrc| self.by_ssrc.get(&ssrc));
        goes_on.copied().or_else(|| match self.all_learned() {
            true => only(self.by_ssrc.values()),
            false => only(self.unlearned.iter()),
        })
    }

    /// The call's stream is known now: the socket has room for the next one.
    pub fn learn(&mut self, call: CallIndex, source: SocketAddr, ssrc: u32) {
        self.comes_from(call, source);
        let before = self.known.entry(call).or_default().ssrc.replace(ssrc);
        self.no_longer_sends(call, before);
        self.by_ssrc.insert(ssrc, call);
        self.unlearned.remove(&call);
    }

    pub fn leave(&mut self, call: CallIndex, now: Moment) {
        self.unlearned.remove(&call);
        let Some(known) = self.known.remove(&call) else { return };
        while self.departed.pop_front_if(|(_, until)| *until <= now).is_some() {}
        for source in known.sources {
            self.by_source.remove(&source);
            self.departed.push_back((source, now + STRAGGLERS));
        }
        self.no_longer_sends(call, known.ssrc);
    }

    /// Another call may have taken the stream's number meanwhile, and keeps it.
    fn no_longer_sends(&mut self, call: CallIndex, ssrc: Option<u32>) {
        if let Some(ssrc) = ssrc.filter(|ssrc| self.by_ssrc.get(ssrc) == Some(&call)) {
            self.by_ssrc.remove(&ssrc);
        }
    }

    /// The first call that has a source keeps it.
    fn comes_from(&mut self, call: CallIndex, source: SocketAddr) {
        if self.is_free(source) {
            self.by_source.insert(source, call);
            self.known.entry(call).or_default().sources.push(source);
        }
    }
}

/// The only one there is.
fn only<'a>(mut calls: impl Iterator<Item = &'a CallIndex>) -> Option<CallIndex> {
    calls.next().copied().filter(|_| calls.next().is_none())
}

#[cfg(test)]
mod tests;
