//! Which remote address a call believes: symmetric RTP with a lock, so that nobody bleeds into a call.
//! The socket and the demultiplexing are the shard's.

use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::Moment;

/// How long only the signalled address is believed: a stranger who sends before the caller does is not let in, and a
/// caller behind NAT loses no more than this of the time in which the agent greets.
const SIGNALLED_ONLY: Duration = Duration::from_millis(250);

/// A source that was silent for so long may have got another address from its NAT. Shorter, and a burst of loss beside
/// somebody who knows the stream's numbers would be enough; longer, and the caller is away for longer.
const REBINDS_AFTER: Duration = Duration::from_secs(2);

/// What a packet's source means to the leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The leg's own.
    Ours,
    /// The leg's own from now on: the stream went on from another address than this one.
    Moved(SocketAddr),
    Foreign,
}

/// The address a leg takes media from.
///
/// A phone behind NAT sends from another address than its SDP says, so after a moment the first source is taken,
/// loosely: the signalled address may still claim the stream later, and when the source falls silent its stream may go
/// on from elsewhere. The signalled address itself is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLock {
    signalled: SocketAddr,
    /// When the lock was opened.
    opened: Moment,
    source: Option<SocketAddr>,
    /// When `source` was heard last.
    heard: Moment,
}

// === impl SourceLock ===

impl SourceLock {
    pub fn new(signalled: SocketAddr, now: Moment) -> Self {
        Self { signalled, opened: now, source: None, heard: now }
    }

    /// Whether a valid packet from `from` belongs to this leg; the first one takes the lock. `continues`: it goes on
    /// with the stream heard so far, by SSRC and sequence number.
    pub fn admit(&mut self, from: SocketAddr, now: Moment, continues: bool) -> Admission {
        let admission = match self.source {
            Some(source) if source == from => Admission::Ours,
            Some(source) if from == self.signalled => Admission::Moved(source),
            Some(source) if source != self.signalled && continues && now.since(self.heard) >= REBINDS_AFTER => {
                Admission::Moved(source)
            }
            None if from == self.signalled || now.since(self.opened) >= SIGNALLED_ONLY => Admission::Ours,
            Some(_) | None => Admission::Foreign,
        };
        if admission != Admission::Foreign {
            self.source = Some(from);
            self.heard = now;
        }
        admission
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

    /// Where the other side's packets come from, once one came.
    pub fn source(&self) -> Option<SocketAddr> {
        self.source
    }
}
