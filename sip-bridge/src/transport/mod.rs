//! The ways messages travel: the UDP socket, TCP connections, and which one a request takes (RFC 3261 18).
//! Not here: what the messages mean; retransmitting is what transactions do (`server`, and the stack for our requests).

mod arrival;
pub(crate) mod framing;
pub(crate) mod gate;
mod stream;
mod tcp;
mod tls;
mod udp;
mod way;

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
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) use self::arrival::{Arrival, ArrivedRequest, OpenedByStack};
use self::tls::Tls;
pub use self::tls::TlsConfig;
pub(crate) use self::udp::Datagrams;
use self::udp::SendingSocket;
pub(crate) use self::way::Way;

/// Socket buffer asked for: a burst of a few hundred calls fits.
const UDP_BUFFER_BYTES: usize = 4 << 20;

/// Sockets bound to one address, one port for both transports.
pub(crate) struct Sockets {
    udp: tokio::net::UdpSocket,
    tcp: tokio::net::TcpListener,
    pub local: SocketAddr,
    tls: Option<TlsSocket>,
}

/// Where TLS is listened on, and what is needed for it.
struct TlsSocket {
    listener: tokio::net::TcpListener,
    local: SocketAddr,
    tls: Arc<Tls>,
}

impl Sockets {
    /// Port 0 takes a port that is free on both transports.
    pub fn bind(listen: SocketAddr, tls: Option<TlsConfig>) -> Result<Self, BindError> {
        let tls = tls.map(TlsSocket::bind).transpose()?;
        let attempts = if listen.port() == 0 { 32 } else { 1 };
        let mut last = None;
        for _ in 0..attempts {
            match Self::bind_once(listen) {
                Ok(sockets) => return Ok(Self { tls, ..sockets }),
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
        Ok(Self { udp, tcp, local, tls: None })
    }
}

impl TlsSocket {
    fn bind(config: TlsConfig) -> Result<Self, BindError> {
        let listen = config.listen;
        let failed = |source| BindError { transport: "TLS", listen, source };
        let tls = Tls::load(config).map_err(|error| failed(error.into()))?;
        let listener = tcp::bind(listen).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, local, tls: Arc::new(tls) })
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
    tls: Option<(SocketAddr, tcp::Dialler)>,
}

/// Why no way was found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoFlow {
    #[error("{0:?} is no sip: or sips: URI over UDP, TCP or TLS")]
    NotSip(String),
    #[error("no address for host {0:?}")]
    Unresolved(String),
    #[error("TLS is not configured here")]
    NoTls,
    #[error("cannot connect to {0}: {1}")]
    Connect(SocketAddr, std::io::Error),
}

impl Flows {
    /// Makes the sockets the stack's, for sending. The accept loop runs until `stop`, and what comes over connections goes to
    /// `arrivals`.
    pub async fn start(
        sockets: Sockets,
        user_agent: &str,
        stack: &EndpointInnerRef,
        arrivals: mpsc::UnboundedSender<Arrival>,
        stop: &CancellationToken,
    ) -> Result<(Self, Datagrams), BindError> {
        let local = sockets.local;
        let socket = Arc::new(sockets.udp);
        let sending = Arc::new(SendingSocket { socket: socket.clone(), local });
        let udp =
            UdpConnection::from_socket(sending, Some(local), Some(stop.child_token())).await.map_err(|error| {
                BindError { transport: "UDP", listen: local, source: std::io::Error::other(error.to_string()) }
            })?;
        stack.transport_layer.add_transport(SipConnection::Udp(udp.clone()));
        let streams = stream::Streams { arrivals, user_agent: user_agent.to_owned(), stop: stop.clone() };
        tokio::spawn(tcp::accept(sockets.tcp, None, streams.clone()));
        let tls = sockets.tls.map(|TlsSocket { listener, local, tls }| {
            tokio::spawn(tcp::accept(listener, Some(tls.clone()), streams.clone()));
            (local, tcp::Dialler::new(Some(tls), streams.clone()))
        });
        let datagrams = Datagrams::new(socket, SipConnection::Udp(udp.clone()), user_agent.to_owned());
        Ok((Self { udp, tcp: tcp::Dialler::new(None, streams), tls }, datagrams))
    }

    /// Where TLS is listened on.
    pub fn tls_local(&self) -> Option<SocketAddr> {
        self.tls.as_ref().map(|(local, _)| *local)
    }

    /// The way to a next hop given by address. Over TLS its certificate must be for `name`, or for the address.
    pub async fn to_address(
        &self,
        address: SocketAddr,
        protocol: Protocol,
        name: Option<&str>,
    ) -> Result<Flow, NoFlow> {
        let dialler = match protocol {
            Protocol::Udp => None,
            Protocol::Tcp => Some(&self.tcp),
            Protocol::Tls => Some(self.tls.as_ref().map(|(_, dialler)| dialler).ok_or(NoFlow::NoTls)?),
        };
        let connection = match dialler {
            None => SipConnection::Udp(self.udp.clone()),
            Some(dialler) => {
                let name = name.map_or_else(|| address.ip().to_string(), str::to_owned);
                dialler.connection(address, &name).await.map_err(|error| NoFlow::Connect(address, error))?
            }
        };
        Ok(Flow { connection, destination: sip_addr(address, protocol) })
    }

    /// The way to a next hop given by URI: the first Route, or the request URI. Over TLS its certificate must be
    /// for `name`, or for the URI's host.
    pub async fn to_uri(&self, uri: &str, name: Option<&str>) -> Result<Flow, NoFlow> {
        let hop = Hop::of(uri).ok_or_else(|| NoFlow::NotSip(uri.to_owned()))?;
        let address = hop.resolve().await.ok_or_else(|| NoFlow::Unresolved(hop.host.clone()))?;
        self.to_address(address, hop.protocol, Some(name.unwrap_or(&hop.host))).await
    }
}

/// An address as the stack writes it.
pub(crate) fn sip_addr(address: SocketAddr, protocol: Protocol) -> SipAddr {
    let transport = match protocol {
        Protocol::Udp => rsipstack::sip::Transport::Udp,
        Protocol::Tcp => rsipstack::sip::Transport::Tcp,
        Protocol::Tls => rsipstack::sip::Transport::Tls,
    };
    SipAddr::new(transport, address.into())
}

/// The transport a message came by.
pub(crate) fn protocol_of(connection: &SipConnection) -> Protocol {
    match connection {
        SipConnection::Channel(stream) if stream.get_addr().r#type == Some(rsipstack::sip::Transport::Tls) => {
            Protocol::Tls
        }
        other if other.is_reliable() => Protocol::Tcp,
        _ => Protocol::Udp,
    }
}

/// Whether a TCP or TLS connection still stands. UDP always does.
pub(crate) fn is_open(connection: &SipConnection) -> bool {
    connection.cancel_token().is_none_or(|token| !token.is_cancelled())
}
