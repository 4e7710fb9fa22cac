//! The ways messages travel: the UDP socket, TCP connections, and which one a request takes (RFC 3261 18).
//! Not here: what the messages mean; the stack's transactions do the retransmitting.

mod framing;
mod gate;
mod stream;
mod tcp;
mod udp;

#[cfg(test)]
mod tests;

use crate::BindError;
use crate::message::uri::{Hop, Protocol};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, SipConnection};
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Socket buffer asked for: a burst of a few hundred calls fits.
const UDP_BUFFER_BYTES: usize = 4 << 20;

/// Sockets bound to one address, one port for both transports.
pub(crate) struct Sockets {
    udp: tokio::net::UdpSocket,
    tcp: tokio::net::TcpListener,
    pub local: SocketAddr,
}

impl Sockets {
    /// Port 0 takes a port that is free on both transports.
    pub fn bind(listen: SocketAddr) -> Result<Self, BindError> {
        let attempts = if listen.port() == 0 { 32 } else { 1 };
        let mut last = None;
        for _ in 0..attempts {
            match Self::bind_once(listen) {
                Ok(sockets) => return Ok(sockets),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(BindError { transport: "UDP", listen, source: std::io::ErrorKind::AddrInUse.into() }))
    }

    fn bind_once(listen: SocketAddr) -> Result<Self, BindError> {
        let failed = |transport| move |source| BindError { transport, listen, source };
        let udp = bind_udp(listen).map_err(failed("UDP"))?;
        let local = udp.local_addr().map_err(failed("UDP"))?;
        let tcp = tcp::bind(local).map_err(failed("TCP"))?;
        Ok(Self { udp, tcp, local })
    }
}

fn bind_udp(listen: SocketAddr) -> std::io::Result<tokio::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    // The kernel may give less; that is no reason to fail.
    let _ = socket.set_recv_buffer_size(UDP_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(UDP_BUFFER_BYTES);
    socket.bind(&listen.into())?;
    tokio::net::UdpSocket::from_std(socket.into())
}

/// The way one request takes: a connection and, for UDP, the address.
#[derive(Clone)]
pub(crate) struct Flow {
    pub connection: SipConnection,
    pub destination: SipAddr,
}

/// Finds ways; shared by everything that sends requests.
pub(crate) struct Flows {
    udp: UdpConnection,
    tcp: tcp::Dialler,
}

/// Why no way was found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoFlow {
    #[error("{0:?} is no sip: URI over UDP or TCP")]
    NotSip(String),
    #[error("no address for host {0:?}")]
    Unresolved(String),
    #[error("cannot connect to {0}: {1}")]
    Connect(SocketAddr, std::io::Error),
}

impl Flows {
    /// Gives the sockets to the stack. The accept loop runs until `stop`.
    pub async fn start(
        sockets: Sockets,
        user_agent: &str,
        stack: &EndpointInnerRef,
        stop: &CancellationToken,
    ) -> Result<Self, BindError> {
        let local = sockets.local;
        let socket = Arc::new(udp::GatedSocket::new(sockets.udp, local, user_agent));
        let udp = UdpConnection::from_socket(socket, Some(local), Some(stop.child_token())).await.map_err(|error| {
            BindError { transport: "UDP", listen: local, source: std::io::Error::other(error.to_string()) }
        })?;
        stack.transport_layer.add_transport(SipConnection::Udp(udp.clone()));
        let streams = stream::Streams { stack: stack.clone(), user_agent: user_agent.to_owned(), stop: stop.clone() };
        tokio::spawn(tcp::accept(sockets.tcp, streams.clone()));
        Ok(Self { udp, tcp: tcp::Dialler::new(streams) })
    }

    /// The way to a next hop given by address.
    pub async fn to_address(&self, address: SocketAddr, protocol: Protocol) -> Result<Flow, NoFlow> {
        let connection = match protocol {
            Protocol::Udp => SipConnection::Udp(self.udp.clone()),
            Protocol::Tcp => self.tcp.connection(address).await.map_err(|error| NoFlow::Connect(address, error))?,
        };
        Ok(Flow { connection, destination: sip_addr(address, protocol) })
    }

    /// The way to a next hop given by URI: the first Route, or the request URI.
    pub async fn to_uri(&self, uri: &str) -> Result<Flow, NoFlow> {
        let hop = Hop::of(uri).ok_or_else(|| NoFlow::NotSip(uri.to_owned()))?;
        let address = hop.resolve().await.ok_or_else(|| NoFlow::Unresolved(hop.host.clone()))?;
        self.to_address(address, hop.protocol).await
    }
}

/// An address as the stack writes it.
pub(crate) fn sip_addr(address: SocketAddr, protocol: Protocol) -> SipAddr {
    let transport = match protocol {
        Protocol::Udp => rsipstack::sip::Transport::Udp,
        Protocol::Tcp => rsipstack::sip::Transport::Tcp,
    };
    SipAddr::new(transport, address.into())
}

/// The transport a message came by.
pub(crate) fn protocol_of(connection: &SipConnection) -> Protocol {
    if connection.is_reliable() { Protocol::Tcp } else { Protocol::Udp }
}

/// Whether a TCP connection still stands. UDP always does.
pub(crate) fn is_open(connection: &SipConnection) -> bool {
    connection.cancel_token().is_none_or(|token| !token.is_cancelled())
}
