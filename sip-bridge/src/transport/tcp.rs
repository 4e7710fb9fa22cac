//! TCP: accepting connections, and one shared outgoing connection per peer (RFC 3261 18.1.1, RFC 5923).
//! Not here: what travels over them (`stream`).

use rsipstack::transport::SipConnection;
use socket2::{Domain, Socket, Type};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::stream::Streams;
use super::{is_open, sip_addr};
use crate::message::uri::Protocol;

/// A peer that does not answer a connection request in this time counts as down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// Wait after a failed accept (out of file descriptors) before trying again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(super) fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(listen), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // A restarted node must get its port back while old connections are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&listen.into())?;
    socket.listen(1024)?;
    TcpListener::from_std(socket.into())
}

/// Hands accepted connections to the stack until `stop`.
pub(super) async fn accept(listener: TcpListener, streams: Streams) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = streams.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Err(error) = adopt(stream, peer, &streams).await {
                    tracing::debug!(%peer, %error, "TCP connection lost while accepting it");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a TCP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn adopt(stream: TcpStream, peer: SocketAddr, streams: &Streams) -> std::io::Result<SipConnection> {
    // Messages are whole when written; waiting for more only delays them.
    stream.set_nodelay(true)?;
    streams.adopt(stream, sip_addr(peer, Protocol::Tcp)).await
}

/// Opens outgoing connections and shares them: one per peer, however many calls want it at once.
pub(super) struct Dialler {
    streams: Streams,
    open: Mutex<HashMap<SocketAddr, Arc<Mutex<Option<SipConnection>>>>>,
}

impl Dialler {
    pub fn new(streams: Streams) -> Self {
        Self { streams, open: Mutex::default() }
    }

    /// The open connection to `peer`, or a new one.
    pub async fn connection(&self, peer: SocketAddr) -> std::io::Result<SipConnection> {
        let slot = {
            let mut open = self.open.lock().await;
            // Peers that are gone and that nobody is connecting to right now.
            open.retain(|_, slot| {
                Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|c| c.as_ref().is_some_and(is_open))
            });
            open.entry(peer).or_default().clone()
        };
        let mut connection = slot.lock().await;
        if let Some(open) = connection.as_ref().filter(|c| is_open(c)) {
            return Ok(open.clone());
        }
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(peer))
            .await
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        Ok(connection.insert(adopt(stream, peer, &self.streams).await?).clone())
    }
}
