//! One caller's RTP socket: plain UDP whose datagrams carry the kernel's receive time.
//! What the bytes mean is `ear`'s business.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

/// A datagram as the kernel handed it over.
pub struct Datagram<'a> {
    pub bytes: &'a [u8],
    /// Time since the Unix epoch at which the kernel received it; `None` if it did not say.
    pub stamp: Option<Duration>,
}

pub struct RtpSocket {
    socket: UdpSocket,
    local: SocketAddr,
    control: Vec<u8>,
}

/// Holds the largest RTP packet a 20 ms G.711 stream can carry, with room for extensions.
pub type Buffer = [u8; 1500];

// === impl RtpSocket ===

impl RtpSocket {
    /// Binds a port of the kernel's choice at `local`'s address.
    pub fn bind(local: SocketAddrV4) -> io::Result<Self> {
        let socket = UdpSocket::bind(local)?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local, control: nix::cmsg_space!(TimeSpec) })
    }

    pub fn local(&self) -> SocketAddr {
        self.local
    }

    pub fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.socket.send_to(bytes, to)
    }

    /// The next waiting datagram, or `None` when there is none.
    pub fn receive<'a>(&mut self, buffer: &'a mut Buffer) -> io::Result<Option<Datagram<'a>>> {
        let (length, stamp) = {
            let mut parts = [IoSliceMut::new(buffer)];
            let fd = self.socket.as_raw_fd();
            match recvmsg::<()>(fd, &mut parts, Some(&mut self.control), MsgFlags::empty()) {
                Ok(message) => {
                    let stamp = message.cmsgs()?.find_map(|control| match control {
                        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                        _ => None,
                    });
                    (message.bytes, stamp)
                }
                Err(Errno::EAGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        };
        Ok(Some(Datagram { bytes: buffer.get(..length).unwrap_or_default(), stamp }))
    }
}
