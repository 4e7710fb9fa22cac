//! The UDP socket: datagrams pass the gate before they are read; the stack only sends over it.
//! Not here: what the gate lets through (`gate`).

use super::arrival::Arrival;
use super::gate::{self, Verdict};
use super::way::Way;
use rsipstack::platform::net::UdpSocket as StackSocket;
use rsipstack::transport::SipConnection;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;

/// The longest datagram there can be.
const MAX_DATAGRAM_BYTES: usize = 65_535;

/// A ping and its answer (RFC 5626 3.5.1).
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// Wait after a failed receive before the next.
const RECEIVE_PAUSE: Duration = Duration::from_millis(50);

/// What comes in over UDP.
pub(crate) struct Datagrams {
    socket: Arc<UdpSocket>,
    /// The same socket, as the stack knows it.
    connection: SipConnection,
    user_agent: String,
    buffer: Vec<u8>,
}

impl Datagrams {
    pub(super) fn new(socket: Arc<UdpSocket>, connection: SipConnection, user_agent: String) -> Self {
        Self { socket, connection, user_agent, buffer: vec![0; MAX_DATAGRAM_BYTES] }
    }

    /// The next message that is one. Safe to cancel.
    pub async fn next(&mut self) -> Arrival {
        loop {
            match self.socket.recv_from(&mut self.buffer).await {
                Ok((length, source)) => {
                    if let Some(arrival) = self.take(self.buffer.get(..length).unwrap_or_default(), source) {
                        return arrival;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot receive over UDP");
                    tokio::time::sleep(RECEIVE_PAUSE).await;
                }
            }
        }
    }

    fn take(&self, datagram: &[u8], source: SocketAddr) -> Option<Arrival> {
        let way = Way::Datagrams(self.socket.clone(), source);
        let answer = |message: &[u8]| {
            if let Err(error) = way.send(message) {
                tracing::debug!(%source, %error, "cannot answer a datagram");
            }
        };
        if datagram.iter().all(u8::is_ascii_whitespace) {
            if datagram == PING {
                answer(PONG);
            }
            return None;
        }
        let read = |message: &[u8]| Arrival::read(message, source, &way, &self.connection);
        let arrival = match gate::inspect(datagram, &self.user_agent) {
            Verdict::Pass => read(datagram),
            Verdict::Mended(message) => read(&message),
            Verdict::Answer(response) => {
                answer(&response);
                return None;
            }
            Verdict::Drop(why) => Err(why.to_owned()),
        };
        arrival.inspect_err(|why| tracing::debug!(%source, length = datagram.len(), why, "datagram dropped")).ok()
    }
}

/// The socket as the stack has it.
pub(super) struct SendingSocket {
    pub socket: Arc<UdpSocket>,
    pub local: SocketAddr,
}

#[async_trait::async_trait]
impl StackSocket for SendingSocket {
    async fn recv_from(&self, _buf: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        // What comes in is taken by `Datagrams`.
        std::future::pending().await
    }

    async fn send_to(&self, buf: &[u8], addr: SocketAddr) -> rsipstack::Result<usize> {
        Ok(self.socket.send_to(buf, addr).await?)
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.local)
    }
}
