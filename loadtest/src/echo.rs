//! What the kernel alone costs: answers calls, and sends every packet back from a thread that does nothing else.
//! It waits, receives and sends as a shard does, in the same batches, so that what a node costs more is the node's own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use engine::transport::{Inbound, SendBatch};
use sip_bridge::sdp::{self, Codec, Local};
use sip_bridge::{DialogEvent, Endpoint, IncomingCall, Rejection};
use socket2::{Domain, Socket, Type};
use tokio_util::sync::CancellationToken;

/// How often the socket is looked at.
const ROUND: Duration = Duration::from_millis(1);

/// Kernel buffers, as large as a node's.
const KERNEL_BUFFER_BYTES: usize = 4 << 20;

/// Answers every call to `endpoint` until `stop`; all of them share one socket.
pub async fn serve(mut endpoint: Endpoint, stop: CancellationToken) -> io::Result<()> {
    let socket = open((Ipv4Addr::LOCALHOST, 0).into())?;
    let port = socket.local_addr()?.port();
    let over = stop.clone();
    let thread = thread::Builder::new().name("echo".to_owned()).spawn(move || echo(&socket, &over))?;
    let mut sessions = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            call = endpoint.next_call() => {
                let Some(call) = call else { break };
                sessions += 1;
                tokio::spawn(answer(call, port, sessions));
            }
        }
    }
    endpoint.handle().shutdown().await;
    thread.join().map_err(|_| io::Error::other("the echoing thread panicked"))
}

/// Sends back what comes to `address` until `stop`, without a call: for others to be measured with.
pub async fn packets(address: SocketAddr, stop: CancellationToken) -> io::Result<()> {
    let socket = open(address)?;
    tokio::task::spawn_blocking(move || echo(&socket, &stop)).await.map_err(io::Error::other)
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    socket.set_recv_buffer_size(KERNEL_BUFFER_BYTES)?;
    socket.set_send_buffer_size(KERNEL_BUFFER_BYTES)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own, which waits as a shard's does")]
fn echo(socket: &UdpSocket, over: &CancellationToken) {
    let (mut inbound, mut batch) = (Inbound::default(), SendBatch::default());
    while !over.is_cancelled() {
        thread::sleep(ROUND);
        while let Ok(more) = inbound.receive(socket.as_fd()) {
            for (from, datagram) in inbound.datagrams() {
                let Some(packet) = batch.next_packet().get_mut(..datagram.len()) else { continue };
                packet.copy_from_slice(datagram);
                if batch.push(datagram.len(), from) {
                    batch.flush(socket.as_fd());
                }
            }
            batch.flush(socket.as_fd());
            if !more {
                break;
            }
        }
    }
}

/// Answers a call and stays with it to its end.
async fn answer(call: IncomingCall, port: u16, session_id: u64) {
    let local = Local {
        addr: Ipv4Addr::LOCALHOST.into(),
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        port,
        rtcp_mux: true,
        session_id,
        version: 1,
        security: sdp::Security::default(),
    };
    let answer = call.offer.as_deref().and_then(|offer| sdp::answer(offer, &local).ok());
    let Some((_, answer)) = answer else { return call.reject(Rejection::new(488)).await };
    let Ok(mut dialog) = call.accept(answer).await else { return };
    while let Some(event) = dialog.next_event().await {
        if let DialogEvent::Ended { .. } = event {
            return;
        }
    }
}
