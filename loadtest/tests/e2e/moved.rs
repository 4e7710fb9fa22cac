//! A caller whose media move in the middle of a call: a re-INVITE names another address, and audio goes on both ways.
//! What a new SSRC does to the jitter buffer is tested in virtual time, in the engine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use edge_protocol::EventKind;
use engine::rtp::write_header;
use sip_bridge::sdp::{self, Local};
use sip_bridge::{Dialog, Endpoint, EndpointConfig, OutgoingTarget, Progress};
use tempfile::TempDir;
use tokio::net::UdpSocket;

use crate::api::SOON;
use crate::node::{Node, Settings};

/// Packets of one stream at most.
const MOST_PACKETS: u16 = 500;

fn local(socket: &UdpSocket, version: u64) -> Local {
    let port = socket.local_addr().expect("an address").port();
    Local {
        addr: IpAddr::V4(Ipv4Addr::LOCALHOST),
        codecs: sdp::Codec::ALL.to_vec(),
        port,
        rtcp_mux: true,
        session_id: 1,
        version,
        security: sdp::Security::default(),
    }
}

/// Sends audio until some comes back; how many packets that took.
async fn exchange(socket: &UdpSocket, node: SocketAddr, ssrc: u32) -> u16 {
    for sequence in 0..MOST_PACKETS {
        let mut packet = [0xFF; 172];
        let (header, _) = packet.split_first_chunk_mut().expect("room for a header");
        write_header(header, sequence == 0, 0, sequence, u32::from(sequence) * 160, ssrc);
        socket.send_to(&packet, node).await.expect("sent");
        let mut heard = [0; 1500];
        let came = tokio::time::timeout(Duration::from_millis(20), socket.recv(&mut heard)).await;
        // Some more are sent, so that they are surely taken.
        if came.is_ok() && sequence >= 50 {
            return sequence + 1;
        }
    }
    panic!("nothing came back from {node}");
}

async fn dial(endpoint: &Endpoint, node: &Node, socket: &UdpSocket) -> (Dialog, SocketAddr) {
    let target = OutgoingTarget::new(format!("sip:agent@127.0.0.1:{}", node.sip), "sip:caller@127.0.0.1");
    let local = local(socket, 1);
    let mut call = endpoint.handle().call(target, sdp::offer(&local)).await.expect("an INVITE");
    loop {
        match call.next_progress().await {
            Progress::Answered { dialog, answer } => {
                return (dialog, sdp::accept_answer(&answer, &local).expect("an answer").remote_rtp);
            }
            Progress::Failed(failure) => panic!("{failure}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn audio_follows_a_caller_whose_media_move() {
    let dir = TempDir::new().expect("a directory");
    let node = Node::start("node-1", dir.path(), Settings::new()).await.expect("a node");
    let mut events = node.events().await.expect("its events");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let endpoint = Endpoint::bind(EndpointConfig::new(any)).await.expect("an endpoint");
    let (first, second) = (UdpSocket::bind(any).await.expect("a port"), UdpSocket::bind(any).await.expect("a port"));

    let (dialog, rtp) = dial(&endpoint, &node, &first).await;
    let before = exchange(&first, rtp, 1).await;
    let moved = local(&second, 2);
    let answer = dialog.handle().reinvite(sdp::offer(&moved)).await.expect("an answer");
    let rtp = sdp::accept_answer(&answer, &moved).expect("an answer").remote_rtp;
    let after = exchange(&second, rtp, 2).await;
    dialog.bye(None).await.expect("the end");

    let ended = |kind: &EventKind| matches!(kind, EventKind::CallEnded { .. });
    let EventKind::CallEnded { quality, .. } = events.until("the end", SOON, ended).await.expect("it ends").kind else {
        unreachable!()
    };
    // A new address is believed at once, and what comes from the old one no more.
    let taken = quality.packets_received;
    assert!(taken > u64::from(before) + u64::from(after) / 2, "{taken} of {before} + {after} packets were taken");
}
