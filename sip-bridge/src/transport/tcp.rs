//! TCP, alone or beneath TLS: accepting connections, and one shared outgoing connection per peer (RFC 3261 18.1.1,
//! RFC 5923). Not here: what travels over them (`stream`); handshakes (`tls`).

use rsipstack::transport::SipConnection;
use socket2::{Domain, Socket, Type};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};

use super::stream::Streams;
use super::tls::Tls;
use super::{is_open, sip_addr};
use crate::message::uri::Protocol;

/// A peer that does not answer a connection request in this time counts as down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// TLS handshakes going on at once; more connections are closed.
const MAX_HANDSHAKES: usize = 512;

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
pub(super) async fn accept(listener: TcpListener, tls: Option<Arc<Tls>>, streams: Streams) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = streams.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => match &tls {
                None => {
                    if let Err(error) = adopt(&streams, stream, peer).await {
                        tracing::debug!(%peer, %error, "TCP connection lost while accepting it");
                    }
                }
                Some(tls) => {
                    // Too many at once: this one is closed.
                    let Ok(place) = handshakes.clone().try_acquire_owned() else { continue };
                    let (tls, streams) = (tls.clone(), streams.clone());
                    tokio::spawn(async move {
                        if let Err(error) = greet(&streams, &tls, stream, peer).await {
                            tracing::debug!(%peer, %error, "TLS handshake failed");
                        }
                        drop(place);
                    });
                }
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept a TCP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A TCP connection, in or out, becomes the stack's.
async fn adopt(streams: &Streams, stream: TcpStream, peer: SocketAddr) -> std::io::Result<SipConnection> {
    // Messages are whole when written; waiting for more only delays them.
    stream.set_nodelay(true)?;
    streams.adopt(stream, sip_addr(peer, Protocol::Tcp)).await
}

/// Our side of the handshake with a peer that connected; then the connection is the stack's.
async fn greet(streams: &Streams, tls: &Tls, stream: TcpStream, peer: SocketAddr) -> std::io::Result<SipConnection> {
    stream.set_nodelay(true)?;
    let stream = tls.accept(stream).await?;
    streams.adopt(stream, sip_addr(peer, Protocol::Tls)).await
}

/// The handshake with a server; then the connection is the stack's.
async fn secure(
    streams: &Streams,
    tls: &Tls,
    stream: TcpStream,
    peer: SocketAddr,
    name: &str,
) -> std::io::Result<SipConnection> {
    stream.set_nodelay(true)?;
    let stream = tls.connect(name, stream).await?;
    streams.adopt(stream, sip_addr(peer, Protocol::Tls)).await
}

/// An outgoing connection, or room for one; `None` while nobody has connected.
type Slot = Arc<Mutex<Option<SipConnection>>>;

/// Opens outgoing connections and shares them: one per peer and name, however many calls want it at once.
pub(super) struct Dialler {
    tls: Option<Arc<Tls>>,
    streams: Streams,
    open: Mutex<HashMap<(SocketAddr, String), Slot>>,
}

impl Dialler {
    pub fn new(tls: Option<Arc<Tls>>, streams: Streams) -> Self {
        Self { tls, streams, open: Mutex::default() }
    }

    /// The open connection to `peer`, or a new one. Over TLS its certificate must be for `name`.
    pub async fn connection(&self, peer: SocketAddr, name: &str) -> std::io::Result<SipConnection> {
        let name = if self.tls.is_some() { name.to_ascii_lowercase() } else { String::new() };
        let slot = {
            let mut open = self.open.lock().await;
            // Peers that are gone and that nobody is connecting to right now.
            open.retain(|_, slot| {
                Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|c| c.as_ref().is_some_and(is_open))
            });
            open.entry((peer, name.clone())).or_default().clone()
        };
        let mut connection = slot.lock().await;
        if let Some(open) = connection.as_ref().filter(|c| is_open(c)) {
            return Ok(open.clone());
        }
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(peer))
            .await
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        let opened = match &self.tls {
            None => adopt(&self.streams, stream, peer).await?,
            Some(tls) => secure(&self.streams, tls, stream, peer, &name).await?,
        };
        Ok(connection.insert(opened).clone())
    }
}
