//! Many datagrams in one system call: recvmmsg(2) and sendmmsg(2) over buffers that are made once.
//! The only unsafe code of the media path; which socket and whose datagram is decided elsewhere.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::call::MAX_PACKET_BYTES;

/// Datagrams taken in one receive call.
const RECEIVE: usize = 32;

/// Longest datagram looked at; RTP and RTCP of a phone call are far below.
const DATAGRAM_BYTES: usize = 1500;

/// Datagrams sent in one call.
const SEND: usize = 64;

/// Buffers for one receive call.
pub struct Inbound {
    data: Box<[[u8; DATAGRAM_BYTES]; RECEIVE]>,
    from: Box<[libc::sockaddr_storage; RECEIVE]>,
    headers: Headers<RECEIVE>,
    count: usize,
}

/// Packets waiting to be sent through one socket.
pub struct SendBatch {
    data: Box<[[u8; MAX_PACKET_BYTES]; SEND]>,
    to: Box<[libc::sockaddr_storage; SEND]>,
    to_bytes: [libc::socklen_t; SEND],
    lengths: [usize; SEND],
    headers: Headers<SEND>,
    count: usize,
}

/// Room for what the kernel is told of `N` datagrams: where each one's bytes and address are. Filled for each system call,
/// since what it points to may have moved meanwhile.
struct Headers<const N: usize> {
    slices: Box<[libc::iovec; N]>,
    messages: Box<[libc::mmsghdr; N]>,
}

// SAFETY: the pointers are written before each system call, and nobody follows them after it.
unsafe impl<const N: usize> Send for Headers<N> {}

// === impl Headers ===

impl<const N: usize> Headers<N> {
    fn new() -> Self {
        let nothing = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        Self { slices: Box::new([nothing; N]), messages: Box::new([empty_header(); N]) }
    }

    fn point<'a>(
        &mut self,
        datagrams: impl Iterator<Item = (&'a mut [u8], &'a mut libc::sockaddr_storage, libc::socklen_t)>,
    ) {
        for ((header, slice), (bytes, name, name_bytes)) in
            self.messages.iter_mut().zip(self.slices.iter_mut()).zip(datagrams)
        {
            *slice = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
            let message = &mut header.msg_hdr;
            message.msg_name = (&raw mut *name).cast();
            message.msg_namelen = name_bytes;
            message.msg_iov = &raw mut *slice;
            message.msg_iovlen = 1;
        }
    }
}

// === impl Inbound ===

impl Default for Inbound {
    fn default() -> Self {
        Self {
            data: Box::new([[0; DATAGRAM_BYTES]; RECEIVE]),
            from: Box::new([empty_address(); RECEIVE]),
            headers: Headers::new(),
            count: 0,
        }
    }
}

impl Inbound {
    /// Takes what is waiting at `socket`, at most one batch. True if there may be more.
    ///
    /// # Errors
    /// Whatever recvmmsg(2) reports, but for "nothing there", which is an empty batch.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<bool> {
        self.count = 0;
        let room = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        self.headers
            .point(self.data.iter_mut().zip(self.from.iter_mut()).map(|(data, from)| (&mut data[..], from, room)));
        // SAFETY: every header points to one live iovec and one live address of the lengths given, and none of
        // them moves before the call returns.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.messages.as_mut_ptr(),
                RECEIVE as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let Ok(received) = usize::try_from(received) else {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(false) } else { Err(error) };
        };
        self.count = received;
        Ok(received == RECEIVE)
    }

    /// The datagrams of the last batch, in the order they came. Those from a strange address family are left out.
    pub fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let received = self.data.iter().zip(self.from.iter()).zip(self.headers.messages.iter()).take(self.count);
        received.filter_map(|((data, from), header)| Some((address(from)?, data.get(..header.msg_len as usize)?)))
    }
}

// === impl SendBatch ===

impl Default for SendBatch {
    fn default() -> Self {
        Self {
            data: Box::new([[0; MAX_PACKET_BYTES]; SEND]),
            to: Box::new([empty_address(); SEND]),
            to_bytes: [0; SEND],
            lengths: [0; SEND],
            headers: Headers::new(),
            count: 0,
        }
    }
}

impl SendBatch {
    /// Room for the next packet; `push` makes it part of the batch.
    pub fn next_packet(&mut self) -> &mut [u8; MAX_PACKET_BYTES] {
        &mut self.data[self.count.min(SEND - 1)]
    }

    /// Adds the packet written to `next_packet`. True if the batch is full and must be flushed.
    pub fn push(&mut self, bytes: usize, to: SocketAddr) -> bool {
        let i = self.count.min(SEND - 1);
        self.lengths[i] = bytes.min(MAX_PACKET_BYTES);
        self.to_bytes[i] = put_address(&mut self.to[i], to);
        self.count = i + 1;
        self.count == SEND
    }

    /// Sends all of it through `socket`. Packets the kernel refuses are dropped, as a network would. Tells how many
    /// were sent and how many refused.
    pub fn flush(&mut self, socket: BorrowedFd<'_>) -> (usize, usize) {
        let count = std::mem::take(&mut self.count);
        if count == 0 {
            return (0, 0);
        }
        let packets = self.data.iter_mut().zip(self.to.iter_mut()).zip(self.lengths.iter().zip(&self.to_bytes));
        self.headers
            .point(packets.take(count).map(|((data, to), (&bytes, &to_bytes))| (&mut data[..bytes], to, to_bytes)));
        let (mut done, mut refused) = (0, 0);
        while done < count {
            let waiting = &mut self.headers.messages[done..count];
            // SAFETY: these headers point to live iovecs, data and addresses that do not move during the call.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    waiting.as_mut_ptr(),
                    waiting.len() as libc::c_uint,
                    libc::MSG_DONTWAIT,
                )
            };
            match usize::try_from(sent) {
                Ok(sent) if sent > 0 => done += sent,
                // The first one was refused (a full buffer, an unreachable host): leave it out and go on.
                _ => {
                    done += 1;
                    refused += 1;
                }
            }
        }
        (count - refused, refused)
    }
}

fn empty_header() -> libc::mmsghdr {
    // SAFETY: mmsghdr is plain data for which all zeroes means "no address, no data, no control".
    unsafe { MaybeUninit::zeroed().assume_init() }
}

fn empty_address() -> libc::sockaddr_storage {
    // SAFETY: sockaddr_storage is plain data for which all zeroes means "unspecified".
    unsafe { MaybeUninit::zeroed().assume_init() }
}

fn address(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the storage holds a sockaddr_in, and it is large and aligned enough.
            let v4 = unsafe { *(&raw const *storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above, for sockaddr_in6.
            let v6 = unsafe { *(&raw const *storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}

fn put_address(storage: &mut libc::sockaddr_storage, to: SocketAddr) -> libc::socklen_t {
    match to {
        SocketAddr::V4(v4) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: sockaddr_storage is large and aligned enough for any socket address.
            unsafe { (&raw mut *storage).cast::<libc::sockaddr_in>().write(raw) };
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(v6) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: as above.
            unsafe { (&raw mut *storage).cast::<libc::sockaddr_in6>().write(raw) };
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}
