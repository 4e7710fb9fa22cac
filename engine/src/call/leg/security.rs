//! The leg's encryption: which datagrams are believed, and what is written into ours, by keys from SDP or from DTLS.
//! The cryptography is `rtp::srtp`'s, the handshake `rtp::dtls`'.

use std::net::SocketAddr;

use super::send::{MAX_PACKET_BYTES, Transmit};
use crate::call::media::{MediaSecurity, SrtpKeys};
use crate::clock::Moment;
use crate::rtp::dtls::{DtlsError, Handshake};
use crate::rtp::srtp::{ReceiveContext, SendContext, SrtpError};

const _: () = assert!(crate::rtp::dtls::MAX_DATAGRAM_BYTES <= MAX_PACKET_BYTES);

/// State of a leg's encryption.
pub(super) struct Security {
    state: State,
    pub(super) refused: Refused,
}

/// SRTP and SRTCP packets that were not believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// Their tag did not fit our key, or there was no key yet.
    pub unauthentic: u64,
    /// Those since one was believed, or since there were new keys.
    pub in_a_row: u64,
}

enum State {
    Plain,
    Srtp(Box<Contexts>),
    Dtls(Box<Association>),
}

struct Contexts {
    send: SendContext,
    receive: ReceiveContext,
}

struct Association {
    handshake: Handshake,
    contexts: Option<Contexts>,
    /// Where the other side's datagrams came from last.
    peer: Option<SocketAddr>,
}

// === impl Security ===

impl Security {
    pub(super) fn new(terms: &MediaSecurity, now: Moment) -> Self {
        Self { state: State::new(terms, now), refused: Refused::default() }
    }

    /// A new offer and answer. What did not change goes on, its rollover counters too.
    pub(super) fn change(&mut self, now: Moment, old: &MediaSecurity, new: &MediaSecurity) {
        match (&mut self.state, old, new) {
            _ if old == new => return,
            (State::Srtp(contexts), MediaSecurity::Srtp(old), MediaSecurity::Srtp(new)) => contexts.rekey(old, new),
            (state, ..) => *state = State::new(new, now),
        }
        self.refused.in_a_row = 0;
    }

    /// Media may flow: there is no encryption, or there are keys.
    pub(super) fn is_ready(&self) -> bool {
        match &self.state {
            State::Plain | State::Srtp(_) => true,
            State::Dtls(association) => association.contexts.is_some(),
        }
    }

    /// The RTP packet in a datagram, if it is believed.
    pub(super) fn open_rtp<'a>(&'a mut self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        match &mut self.state {
            State::Plain => Some(datagram),
            State::Srtp(contexts) => self.refused.note(contexts.receive.unprotect_rtp(datagram)),
            State::Dtls(association) => {
                self.refused.note(association.receive().and_then(|context| context.unprotect_rtp(datagram)))
            }
        }
    }

    /// The compound RTCP packet in a datagram, if it is believed.
    pub(super) fn open_rtcp<'a>(&'a mut self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        match &mut self.state {
            State::Plain => Some(datagram),
            State::Srtp(contexts) => self.refused.note(contexts.receive.unprotect_rtcp(datagram)),
            State::Dtls(association) => {
                self.refused.note(association.receive().and_then(|context| context.unprotect_rtcp(datagram)))
            }
        }
    }

    /// Protects an RTP packet of ours. `None`: it cannot be sent.
    pub(super) fn seal_rtp(&mut self, sent: Transmit, packet: &mut [u8; MAX_PACKET_BYTES]) -> Option<Transmit> {
        let Some(context) = self.send()? else { return Some(sent) };
        context.protect_rtp(packet, sent.bytes).ok().map(|bytes| Transmit { bytes, ..sent })
    }

    /// Protects an RTCP packet of ours. `None`: it cannot be sent.
    pub(super) fn seal_rtcp(&mut self, sent: Transmit, packet: &mut [u8; MAX_PACKET_BYTES]) -> Option<Transmit> {
        let Some(context) = self.send()? else { return Some(sent) };
        context.protect_rtcp(packet, sent.bytes).ok().map(|bytes| Transmit { bytes, ..sent })
    }

    /// A DTLS datagram arrived. True if media may flow from now on.
    pub(super) fn handle_dtls(&mut self, now: Moment, from: SocketAddr, datagram: &[u8]) -> bool {
        let State::Dtls(association) = &mut self.state else { return false };
        association.peer = Some(from);
        let Some(keys) = association.handshake.handle(now, datagram) else { return false };
        self.refused.in_a_row = 0;
        association.contexts =
            Some(Contexts { send: SendContext::new(&keys.ours), receive: ReceiveContext::new(&keys.theirs, None) });
        true
    }

    /// 20 ms passed.
    pub(super) fn tick(&mut self, now: Moment) {
        if let State::Dtls(association) = &mut self.state {
            association.handshake.tick(now);
        }
    }

    /// The handshake's next datagram. It goes where the other side's came from, else to `signalled`.
    pub(super) fn send_handshake(
        &mut self,
        signalled: SocketAddr,
        packet: &mut [u8; MAX_PACKET_BYTES],
    ) -> Option<Transmit> {
        let State::Dtls(association) = &mut self.state else { return None };
        let bytes = association.handshake.next_datagram(packet)?;
        Some(Transmit { bytes, to: association.peer.unwrap_or(signalled) })
    }

    /// Why there will be no keys.
    pub(super) fn error(&self) -> Option<&DtlsError> {
        match &self.state {
            State::Dtls(association) => association.handshake.error(),
            State::Plain | State::Srtp(_) => None,
        }
    }

    /// RTCP beside its RTP port would need a handshake of its own (RFC 5764 section 4.1), which nobody does any more.
    pub(super) fn needs_rtcp_mux(&self) -> bool {
        matches!(self.state, State::Dtls(_))
    }

    /// The context of what we send; `Some(None)` where nothing is encrypted, `None` where there is no key yet.
    fn send(&mut self) -> Option<Option<&mut SendContext>> {
        match &mut self.state {
            State::Plain => Some(None),
            State::Srtp(contexts) => Some(Some(&mut contexts.send)),
            State::Dtls(association) => association.contexts.as_mut().map(|contexts| Some(&mut contexts.send)),
        }
    }
}

// === impl State ===

impl State {
    fn new(terms: &MediaSecurity, now: Moment) -> Self {
        match terms {
            MediaSecurity::Plain => Self::Plain,
            MediaSecurity::Srtp(keys) => Self::Srtp(Box::new(Contexts::new(keys))),
            MediaSecurity::Dtls(terms) => Self::Dtls(Box::new(Association {
                handshake: Handshake::new(terms.clone(), now),
                contexts: None,
                peer: None,
            })),
        }
    }
}

// === impl Contexts ===

impl Contexts {
    fn new(keys: &SrtpKeys) -> Self {
        Self { send: SendContext::new(&keys.ours), receive: ReceiveContext::new(&keys.theirs, keys.mki) }
    }

    fn rekey(&mut self, old: &SrtpKeys, new: &SrtpKeys) {
        if old.ours != new.ours {
            self.send = SendContext::new(&new.ours);
        }
        if (&old.theirs, old.mki) != (&new.theirs, new.mki) {
            self.receive = self.receive.rekeyed(&new.theirs, new.mki);
        }
    }
}

// === impl Association ===

impl Association {
    fn receive(&mut self) -> Result<&mut ReceiveContext, SrtpError> {
        self.contexts.as_mut().map(|contexts| &mut contexts.receive).ok_or(SrtpError::Unauthentic)
    }
}

// === impl Refused ===

impl Refused {
    fn note<'a>(&mut self, opened: Result<&'a [u8], SrtpError>) -> Option<&'a [u8]> {
        match &opened {
            Ok(_) => self.in_a_row = 0,
            // Came before, and from somebody with the key.
            Err(SrtpError::Replayed) => {}
            Err(_) => {
                self.unauthentic += 1;
                self.in_a_row += 1;
            }
        }
        opened.ok()
    }
}
