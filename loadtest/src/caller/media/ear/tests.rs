//! What a caller makes of the packets it hears.
//! No socket here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use engine::audio::g711::Law;
use engine::rtp::{HEADER_BYTES, write_header};

use super::*;

const ROUTE: Route = Route {
    remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9),
    codec: Codec::G711(Law::Mu),
    payload_type: 0,
    receive_payload_type: 0,
    telephone_event: None,
};

fn datagram(sequence: u16, timestamp: u32, ssrc: u32, sample: i16) -> Vec<u8> {
    let mut header = [0; HEADER_BYTES];
    write_header(&mut header, false, 0, sequence, timestamp, ssrc);
    let mut bytes = header.to_vec();
    bytes.extend([Law::Mu.encode(sample); FRAME_SAMPLES]);
    bytes
}

fn listen(packets: &[Vec<u8>]) -> (Vec<Event>, LegReport) {
    let mut ear = Ear::new(true);
    let mut events = Vec::new();
    for (packet, n) in packets.iter().zip(0..) {
        ear.hear(Moment::from_millis(n * 20), packet, &ROUTE, |event| events.push(event));
    }
    (events, ear.into_report(SendCounts::default()))
}

/// One sample of every frame heard.
fn frames(report: &LegReport) -> Vec<i16> {
    report.heard.iter().copied().step_by(FRAME_SAMPLES).collect()
}

fn companded(samples: &[i16]) -> Vec<i16> {
    samples.iter().map(|&sample| Law::Mu.decode(Law::Mu.encode(sample))).collect()
}

#[test]
fn heard_audio_lies_where_its_timestamps_say() {
    let (_, report) = listen(&[datagram(1, 1000, 5, 100), datagram(3, 1320, 5, 300), datagram(2, 1160, 5, 200)]);
    assert_eq!(frames(&report), companded(&[100, 200, 300]));
}

#[test]
fn a_lost_packet_leaves_silence_in_its_place() {
    let (_, report) = listen(&[datagram(1, 1000, 5, 100), datagram(3, 1320, 5, 300)]);
    assert_eq!(frames(&report), companded(&[100, 0, 300]));
}

#[test]
fn a_new_source_goes_on_where_the_old_one_stopped() {
    let (_, report) = listen(&[datagram(1, u32::MAX - 79, 5, 100), datagram(2, 80, 5, 200), datagram(9, 77, 6, 300)]);
    assert_eq!(frames(&report), companded(&[100, 200, 300]));
}

#[test]
fn a_broken_timestamp_does_not_eat_the_memory() {
    let (_, report) = listen(&[datagram(1, 0, 5, 100), datagram(2, 0x7000_0000, 5, 200)]);
    assert_eq!(report.heard.len(), FRAME_SAMPLES);
    assert_eq!(report.received.timestamp_jumps, 1);
}

#[test]
fn the_first_packet_and_the_start_of_voice_are_told_with_their_times() {
    let packets: Vec<_> = (0..4).map(|n| datagram(n, u32::from(n) * 160, 5, if n < 2 { 0 } else { 4000 })).collect();
    let (events, report) = listen(&packets);
    assert_eq!(events, [Event::FirstPacket { at: Moment(0) }, Event::VoiceStarted { at: Moment::from_millis(40) }]);
    assert_eq!(report.voiced_frames, 2);
}

#[test]
fn what_is_not_the_negotiated_audio_is_ignored_and_counted() {
    let mut other = datagram(1, 0, 5, 4000);
    other[1] = 13;
    let (events, report) = listen(&[other, b"no rtp".to_vec(), vec![0x80, 200, 0, 0]]);
    assert_eq!(events, []);
    assert_eq!((report.ignored, report.rtcp, report.received.packets), (2, 1, 0));
}

#[test]
fn a_voice_is_over_when_its_sender_stops_sending() {
    let mut ear = Ear::new(false);
    let mut events = Vec::new();
    let ms = Moment::from_millis;
    for n in 0..50_u16 {
        ear.hear(ms(u64::from(n) * 20), &datagram(n, u32::from(n) * 160, 5, 8000), &ROUTE, |event| events.push(event));
        ear.rest(ms(u64::from(n) * 20 + 10), |event| events.push(event));
    }
    assert!(!events.iter().any(|event| matches!(event, Event::VoiceEnded { .. })), "{events:?}");
    for n in 50..200 {
        ear.rest(ms(n * 20), |event| events.push(event));
    }
    assert_eq!(events.last(), Some(&Event::VoiceEnded { last: ms(49 * 20) }));
}
