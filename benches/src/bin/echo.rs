//! The kernel's part of a call: UDP datagrams go back to where they came from, and nothing else is done (`echo ADDR:PORT`).
//! Taken and sent as a shard does it, in batches, once a millisecond, so that what is more than this is our own.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use engine::transport::{Inbound, SendBatch};

const SLOT: Duration = Duration::from_millis(1);

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let socket = UdpSocket::bind(address)?;
    let (mut inbound, mut batch) = (Inbound::default(), SendBatch::default());
    loop {
        #[expect(clippy::disallowed_methods, reason = "as a shard does: the next slot is what it waits for")]
        std::thread::sleep(SLOT);
        // An error here is one that a datagram of ours caused (ICMP unreachable); the socket goes on.
        let mut more = true;
        while more {
            more = inbound.receive(socket.as_fd()).unwrap_or(true);
            send_back(&inbound, &mut batch, &socket);
        }
    }
}

/// Sends back what was received last.
fn send_back(inbound: &Inbound, batch: &mut SendBatch, socket: &UdpSocket) {
    for (from, datagram) in inbound.datagrams() {
        if let Some(room) = batch.next_packet().get_mut(..datagram.len()) {
            room.copy_from_slice(datagram);
            if batch.push(datagram.len(), from) {
                batch.flush(socket.as_fd());
            }
        }
    }
    batch.flush(socket.as_fd());
}
