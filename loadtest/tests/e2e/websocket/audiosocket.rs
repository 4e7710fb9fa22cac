//! Asterisk's AudioSocket: a TCP connection that is a call.

use std::time::Duration;

use edge_protocol::{EndCause, EventKind};
use loadtest::measure::level;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Served;
use crate::ports::free_port;

const SOON: Duration = Duration::from_secs(15);

/// The next packet: its kind and payload.
async fn packet(socket: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut header = [0; 3];
    socket.read_exact(&mut header).await.expect("a header");
    let mut payload = vec![0; usize::from(u16::from_be_bytes([header[1], header[2]]))];
    socket.read_exact(&mut payload).await.expect("a payload");
    (header[0], payload)
}

#[tokio::test]
async fn a_call_is_greeted_pressed_a_key_and_hung_up() {
    let port = free_port().expect("a port");
    let settings = vec![("TANDEM_AUDIOSOCKET", format!("127.0.0.1:{port}"))];
    let served = Served::start("greeting = \"Good morning.\"", "Yes.", settings).await.expect("a node");
    let mut events = served.node.events().await.expect("its events");
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    socket.write_all(&[&[1, 0, 16][..], &[7; 16]].concat()).await.expect("a UUID");
    let mut voiced = 0;
    while voiced < 10 {
        let (kind, payload) = tokio::time::timeout(SOON, packet(&mut socket)).await.expect("audio");
        assert_eq!((kind, payload.len()), (0x10, 320));
        let samples: Vec<i16> = payload.chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]])).collect();
        voiced += usize::from(level::is_voiced(&samples));
        // As much goes back.
        socket.write_all(&[&[0x10, 1, 64][..], &[0; 320]].concat()).await.expect("silence");
    }
    socket.write_all(&[3, 0, 1, b'5']).await.expect("a key");
    let key = |kind: &EventKind| matches!(kind, EventKind::Dtmf { digit: '5', .. });
    events.until("a key", SOON, key).await.expect("the key");
    socket.write_all(&[0, 0, 0]).await.expect("the hang-up");
    let ended = |kind: &EventKind| matches!(kind, EventKind::CallEnded { cause: EndCause::CallerHungUp, .. });
    events.until("the end", SOON, ended).await.expect("the call's end");
    served.node.until_idle(SOON).await.expect("no place is held");
}
