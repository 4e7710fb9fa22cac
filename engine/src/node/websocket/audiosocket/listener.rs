//! Where AudioSocket connections come in, and their packets as messages of a session.
//! What a packet says is the dialect's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Message;
use bytes::{Buf, BufMut, BytesMut};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Decoder, Encoder, Framed};

use super::{AudioSocket, HANG_UP};
use crate::node::websocket::dialect::Dialect;
use crate::node::websocket::session::Session;
use crate::node::{Node, Status};

/// Kind and length.
const HEADER_BYTES: usize = 3;

/// After an error that is not the caller's, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// A packet is a binary message: its kind, then its payload.
struct Packets;

/// Takes connections as long as it lives.
pub async fn listen(node: Arc<Node>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => take(&node, stream, peer),
            Err(error) => {
                tracing::warn!(%error, "cannot accept an AudioSocket connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// A call, if there is room for one.
fn take(node: &Arc<Node>, stream: TcpStream, peer: SocketAddr) {
    let (label, place) = match node.status() {
        Status::Draining => ("draining", None),
        Status::Busy => ("full", None),
        Status::Ok => ("full", node.cap.enter()),
    };
    let Some(place) = place else {
        node.refused(label);
        return;
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY stays off");
    }
    let session = Session::new(node.clone(), Framed::new(stream, Packets), AudioSocket::new(&[]), peer);
    tokio::spawn(session.run(place));
}

// === impl Packets ===

impl Decoder for Packets {
    type Item = Message;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Message>, io::Error> {
        let Some([kind, high, low]) = bytes.first_chunk::<HEADER_BYTES>().copied() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if bytes.len() < HEADER_BYTES + length {
            return Ok(None);
        }
        bytes.advance(HEADER_BYTES - 1);
        let mut packet = bytes.split_to(1 + length);
        if let Some(first) = packet.first_mut() {
            *first = kind;
        }
        Ok(Some(Message::Binary(packet.freeze())))
    }
}

impl Encoder<Message> for Packets {
    type Error = io::Error;

    fn encode(&mut self, message: Message, bytes: &mut BytesMut) -> Result<(), io::Error> {
        let packet = match &message {
            Message::Binary(packet) => packet.as_ref(),
            // The end of the session; said twice it does no harm.
            Message::Close(_) => &[HANG_UP],
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        let Some((kind, payload)) = packet.split_first() else { return Ok(()) };
        let length = u16::try_from(payload.len()).map_err(io::Error::other)?;
        bytes.put_u8(*kind);
        bytes.put_u16(length);
        bytes.put_slice(payload);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
