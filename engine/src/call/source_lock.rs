//! Which remote address a call believes: symmetric RTP with a lock, so that nobody bleeds into a call.
//! The socket and the demultiplexing are the shard's.

use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::Moment;

/// How long only the signalled address is believed: a stranger who sends before the caller does is not let in, and a
/// caller behind NAT loses no more than this of the time in which the agent greets.
const SIGNALLED_ONLY: Duration = Duration::from_millis(250);

/// The address a leg takes media from.
///
/// A phone behind NAT sends from another address than its SDP says, so after a moment the first source is taken,
/// loosely: the signalled address may still claim the stream later. The signalled address itself is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLock {
    signalled: SocketAddr,
    /// When the lock was opened.
    opened: Moment,
    source: Option<SocketAddr>,
}

// === impl SourceLock ===

impl SourceLock {
    pub fn new(signalled: SocketAddr, now: Moment) -> Self {
        Self { signalled, opened: now, source: None }
    }

    /// Whether a valid packet from `from` belongs to this leg; the first one takes the lock.
    pub fn admit(&mut self, from: SocketAddr, now: Moment) -> bool {
        match self.source {
            Some(source) if source == from => true,
            Some(_) if from == self.signalled => {
                self.source = Some(from);
                true
            }
            Some(_) => false,
            None if from != self.signalled && now.since(self.opened) < SIGNALLED_ONLY => false,
            None => {
                self.source = Some(from);
                true
            }
        }
    }

    /// A new SDP: the lock opens again only if the address it names changed.
    pub fn signal(&mut self, signalled: SocketAddr, now: Moment) {
        if self.signalled != signalled {
            *self = Self::new(signalled, now);
        }
    }

    /// Where our own packets go: back to where the other side's come from.
    pub fn destination(&self) -> SocketAddr {
        self.source.unwrap_or(self.signalled)
    }

    /// True once a source was learned.
    pub fn is_learned(&self) -> bool {
        self.source.is_some()
    }
}
