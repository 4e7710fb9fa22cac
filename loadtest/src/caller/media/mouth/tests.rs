//! What a caller says, packet by packet.
//! No socket here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use engine::audio::dtmf::DtmfReceiver;
use engine::audio::g711::Law;
use engine::rtp::RtpPacket;

use super::*;

const ROUTE: Route = Route {
    remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9),
    codec: Codec::G711(Law::A),
    payload_type: 8,
    receive_payload_type: 8,
    telephone_event: Some(101),
};

fn utterance(frames: usize) -> Utterance {
    Utterance::from_samples(&vec![4000; frames * FRAME_SAMPLES], "test").unwrap()
}

/// Payload type, sequence, timestamp and first payload byte of the next packets, and what they meant.
fn next(mouth: &mut Mouth, count: usize) -> Vec<(u8, u16, u32, u8, Spoke)> {
    (0..count)
        .map(|_| {
            let (bytes, spoke) = mouth.next_packet(&ROUTE);
            let packet = RtpPacket::parse(bytes).unwrap();
            (packet.payload_type, packet.sequence, packet.timestamp, packet.payload[0], spoke)
        })
        .collect()
}

#[test]
fn silence_is_sent_as_packets_like_a_real_phone_does() {
    let mut mouth = Mouth::new(1);
    let sent = next(&mut mouth, 3);
    for (two, n) in sent.windows(2).zip(1..) {
        assert_eq!(two[1].1.wrapping_sub(two[0].1), 1, "packet {n}");
        assert_eq!(two[1].2.wrapping_sub(two[0].2), 160, "packet {n}");
    }
    assert!(sent.iter().all(|packet| packet.3 == Law::A.silence() && packet.4 == Spoke::Nothing));
}

#[test]
fn the_first_and_the_last_frame_of_an_utterance_are_told() {
    let mut mouth = Mouth::new(1);
    mouth.say(utterance(3));
    let spoke: Vec<_> = next(&mut mouth, 4).into_iter().map(|packet| packet.4).collect();
    assert_eq!(spoke, [Spoke::First, Spoke::Nothing, Spoke::Last, Spoke::Nothing]);
}

#[test]
fn a_key_keeps_one_timestamp_and_audio_goes_on_in_time_after_it() {
    let mut mouth = Mouth::new(1);
    let before = next(&mut mouth, 1)[0];
    mouth.press('5');
    let mut receiver = DtmfReceiver::new(8000);
    let mut heard = Vec::new();
    let mut packets = 0u32;
    loop {
        let (bytes, spoke) = mouth.next_packet(&ROUTE);
        let packet = RtpPacket::parse(bytes).unwrap();
        packets += 1;
        if spoke == Spoke::Key {
            assert_eq!((packet.payload_type, packet.timestamp), (8, before.2.wrapping_add(160 * packets)));
            break;
        }
        assert_eq!((packet.payload_type, packet.timestamp), (101, before.2.wrapping_add(160)));
        heard.extend(receiver.push(&packet).map(|digit| digit.char));
        assert!(packets < 100);
    }
    assert_eq!(heard, ['5']);
}

#[test]
fn what_is_said_while_saying_waits_its_turn() {
    let mut mouth = Mouth::new(1);
    mouth.say(utterance(2));
    mouth.press('1');
    let kinds: Vec<_> = next(&mut mouth, 3).into_iter().map(|packet| packet.0).collect();
    assert_eq!(kinds, [8, 8, 101]);
}
