//! Where the answers to a request go: where it came from (RFC 3261 18.2.2), and over UDP to the port it came from whether or
//! not the sender asks for that (RFC 3581), as those behind a NAT forget to.
//! Not here: which way our own requests take (`Flows`).

use rsipstack::sip::SipMessage;
use rsipstack::transport::SipConnection;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The way back to whoever sent a request.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    Datagrams(Arc<UdpSocket>, SocketAddr),
    /// The connection the request came over: its writer, and what closes it.
    Stream(mpsc::Sender<Vec<u8>>, CancellationToken),
    /// One that the stack opened, with its own writer.
    Opened(SipConnection),
}

impl Way {
    /// Whether what is sent arrives for sure, or the connection fails.
    pub fn is_reliable(&self) -> bool {
        !matches!(self, Self::Datagrams(..))
    }

    /// Sends now or never. Errors: the connection is closed, perhaps as its peer reads nothing, or the system takes no such
    /// datagram.
    pub fn send(&self, message: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Datagrams(socket, to) => match socket.try_send_to(message, *to) {
                // No room: lost, as datagrams are.
                Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
                _ => Ok(()),
            },
            Self::Stream(writer, stop) => writer.try_send(message.to_vec()).map_err(|_| {
                // Whoever reads nothing of so many answers wants none.
                stop.cancel();
                Error::from(ErrorKind::BrokenPipe)
            }),
            Self::Opened(connection) => {
                let message = SipMessage::try_from(message).map_err(Error::other)?;
                let connection = connection.clone();
                tokio::spawn(async move {
                    if let Err(error) = connection.send(message, None).await {
                        tracing::debug!(%error, "cannot answer over the stack's connection");
                    }
                });
                Ok(())
            }
        }
    }
}
