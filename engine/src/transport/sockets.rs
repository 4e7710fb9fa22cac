//! A shard's UDP sockets: bound when needed, shared by calls, polled together.
//! RTP takes the even ports; the odd port beside it is bound when a peer cannot multiplex RTCP (RFC 5761).

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

use super::demux::{CallIndex, Demux};
use crate::clock::Moment;

/// Kernel buffer of a media socket; it holds some 100 ms of a thousand calls.
const KERNEL_BUFFER_BYTES: usize = 4 << 20;

/// Place of a socket within its shard.
pub type SocketIndex = usize;

/// The sockets of one shard.
#[derive(Debug)]
pub struct MediaSockets {
    ip: IpAddr,
    /// Even ports of the shard's range that no socket of ours has, the one to be tried next in front.
    ports: VecDeque<u16>,
    range: RangeInclusive<u16>,
    sockets: Vec<MediaSocket>,
    /// Those whose calls' sources are all known: one more may join, whatever its source turns out to be.
    roomy: BTreeSet<SocketIndex>,
    /// Once there are no more ports, the socket that is tried next.
    crowded: SocketIndex,
}

#[derive(Debug)]
struct MediaSocket {
    port: u16,
    rtp: Channel,
    rtcp: Option<Channel>,
}

#[derive(Debug)]
struct Channel {
    udp: UdpSocket,
    demux: Demux,
}

/// A place for a call's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    pub socket: SocketIndex,
    /// Local RTP port, for the SDP.
    pub port: u16,
}

/// Whether a channel carries RTP (and multiplexed RTCP) or RTCP alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    Rtp,
    Rtcp,
}

/// Why no media port could be had.
#[derive(Debug, Error)]
pub enum SocketError {
    #[error("no RTP port left: all of {} to {} on {ip} are in use", .range.start(), .range.end())]
    PortsExhausted { ip: IpAddr, range: RangeInclusive<u16> },
    #[error("cannot bind a media socket to {addr}: {source}")]
    Bind { addr: SocketAddr, source: io::Error },
}

// === impl MediaSockets ===

impl MediaSockets {
    /// Takes its RTP ports from the even ones of `range`.
    pub fn new(ip: IpAddr, range: RangeInclusive<u16>) -> Self {
        let first_even = range.start().saturating_add(range.start() % 2);
        let ports = (first_even..=*range.end()).step_by(2).collect();
        Self { ip, ports, range, sockets: Vec::new(), roomy: BTreeSet::new(), crowded: 0 }
    }

    /// Finds a socket for a call whose SDP names `rtp`, and `rtcp` if that is not multiplexed: one of its own until its
    /// source is known, as that may be another (NAT). Where no socket is left for that, it shares one, and is heard
    /// from where its SDP says.
    ///
    /// # Errors
    /// [`SocketError`] if a new socket is needed, none can be bound, and none can be shared.
    pub fn reserve(
        &mut self,
        registry: &Registry,
        call: CallIndex,
        rtp: Option<SocketAddr>,
        rtcp: Option<SocketAddr>,
    ) -> Result<Reserved, SocketError> {
        let has_room = |socket: &SocketIndex| self.sockets.get(*socket).is_some_and(|s| s.rtp.demux.has_room_for(rtp));
        let roomy = self.roomy.iter().copied().find(has_room);
        let socket = match roomy {
            Some(found) => found,
            None => self.bind_next(registry).or_else(|error| self.crowd(rtp).ok_or(error))?,
        };
        let port = self.join(registry, socket, call, rtp, rtcp);
        Ok(Reserved { socket, port })
    }

    /// The call's stream turned out to come from `source`.
    pub fn learn(&mut self, index: SocketIndex, call: CallIndex, source: SocketAddr, ssrc: u32) {
        if let Some(socket) = self.sockets.get_mut(index) {
            socket.rtp.demux.learn(call, source, ssrc);
        }
        self.note_room(index);
    }

    /// A new SDP names another address; the call stays on its socket.
    pub fn signal(
        &mut self,
        registry: &Registry,
        socket: SocketIndex,
        call: CallIndex,
        rtp: SocketAddr,
        rtcp: Option<SocketAddr>,
    ) {
        self.join(registry, socket, call, Some(rtp), rtcp);
    }

    pub fn release(&mut self, index: SocketIndex, call: CallIndex, now: Moment) {
        if let Some(socket) = self.sockets.get_mut(index) {
            socket.rtp.demux.leave(call, now);
            if let Some(rtcp) = socket.rtcp.as_mut() {
                rtcp.demux.leave(call, now);
            }
        }
        self.note_room(index);
    }

    pub fn call_for(
        &self,
        socket: SocketIndex,
        kind: ChannelKind,
        source: SocketAddr,
        ssrc: Option<u32>,
        now: Moment,
    ) -> Option<CallIndex> {
        self.channel(socket, kind)?.demux.call_for(source, ssrc, now)
    }

    pub fn fd(&self, socket: SocketIndex, kind: ChannelKind) -> Option<BorrowedFd<'_>> {
        Some(self.channel(socket, kind)?.udp.as_fd())
    }

    /// The channel's handle for RTCP: the odd port where there is one, else the shared one.
    pub fn rtcp_kind(&self, socket: SocketIndex, rtcp_mux: bool) -> ChannelKind {
        let odd = !rtcp_mux && self.sockets.get(socket).is_some_and(|s| s.rtcp.is_some());
        if odd { ChannelKind::Rtcp } else { ChannelKind::Rtp }
    }

    /// The socket and channel a poll event is about.
    pub fn of_token(token: Token) -> (SocketIndex, ChannelKind) {
        (token.0 / 2, if token.0.is_multiple_of(2) { ChannelKind::Rtp } else { ChannelKind::Rtcp })
    }

    fn channel(&self, socket: SocketIndex, kind: ChannelKind) -> Option<&Channel> {
        let socket = self.sockets.get(socket)?;
        match kind {
            ChannelKind::Rtp => Some(&socket.rtp),
            ChannelKind::Rtcp => socket.rtcp.as_ref(),
        }
    }

    fn join(
        &mut self,
        registry: &Registry,
        index: SocketIndex,
        call: CallIndex,
        rtp: Option<SocketAddr>,
        rtcp: Option<SocketAddr>,
    ) -> u16 {
        let ip = self.ip;
        let Some(socket) = self.sockets.get_mut(index) else { return 0 };
        if let Some(rtcp) = rtcp {
            if socket.rtcp.is_none() {
                let addr = SocketAddr::new(ip, socket.port + 1);
                // An odd port that somebody else has costs the call its reports, not its audio.
                socket.rtcp = open(registry, addr, Token(index * 2 + 1))
                    .inspect_err(|error| tracing::warn!(%error, "a call goes without RTCP"))
                    .ok();
            }
            if let Some(channel) = socket.rtcp.as_mut() {
                channel.demux.join(call, Some(rtcp));
            }
        }
        socket.rtp.demux.join(call, rtp);
        let port = socket.port;
        self.note_room(index);
        port
    }

    fn note_room(&mut self, index: SocketIndex) {
        let Some(socket) = self.sockets.get(index) else { return };
        if socket.rtp.demux.all_learned() {
            self.roomy.insert(index);
        } else {
            self.roomy.remove(&index);
        }
    }

    /// The next socket none of whose calls has this source.
    fn crowd(&mut self, source: Option<SocketAddr>) -> Option<SocketIndex> {
        let source = source.filter(|source| !source.ip().is_unspecified())?;
        let (before, after) = self.sockets.split_at_checked(self.crowded)?;
        let free = after.iter().chain(before).position(|socket| socket.rtp.demux.is_free(source))?;
        let found = (self.crowded + free) % self.sockets.len();
        self.crowded = (found + 1) % self.sockets.len();
        Some(found)
    }

    /// Binds the next free even port, passing over those that others hold.
    fn bind_next(&mut self, registry: &Registry) -> Result<SocketIndex, SocketError> {
        let index = self.sockets.len();
        for _ in 0..self.ports.len() {
            let Some(port) = self.ports.pop_front() else { break };
            match open(registry, SocketAddr::new(self.ip, port), Token(index * 2)) {
                Ok(rtp) => {
                    self.sockets.push(MediaSocket { port, rtp, rtcp: None });
                    return Ok(index);
                }
                Err(SocketError::Bind { source, .. }) if source.kind() == io::ErrorKind::AddrInUse => {
                    self.ports.push_back(port);
                }
                Err(error) => {
                    self.ports.push_front(port);
                    return Err(error);
                }
            }
        }
        Err(SocketError::PortsExhausted { ip: self.ip, range: self.range.clone() })
    }
}

fn open(registry: &Registry, addr: SocketAddr, token: Token) -> Result<Channel, SocketError> {
    let bound = || -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Best effort: the kernel caps both at its own limit.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER_BYTES);
        socket.bind(&addr.into())?;
        registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)?;
        Ok(socket.into())
    };
    bound().map(|udp| Channel { udp, demux: Demux::default() }).map_err(|source| SocketError::Bind { addr, source })
}
