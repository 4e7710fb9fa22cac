//! RFC 4733 events as phones send them, and as networks leave them.
//! Each packet is a real payload: event, flags, duration.

use crate::audio::dtmf::{Digit, DtmfReceiver, DtmfSender};
use crate::rtp::RtpPacket;

const END: u8 = 0x80;

fn push(receiver: &mut DtmfReceiver, timestamp: u32, payload: [u8; 4]) -> Option<Digit> {
    let packet = RtpPacket { marker: false, payload_type: 101, sequence: 0, timestamp, ssrc: 1, payload: &payload };
    receiver.push(&packet)
}

fn event(code: u8, flags: u8, duration: u16) -> [u8; 4] {
    let [high, low] = duration.to_be_bytes();
    [code, flags | 10, high, low]
}

#[test]
fn a_digit_is_heard_once_whichever_of_its_packets_are_lost() {
    let mut all = Vec::new();
    let mut sender = DtmfSender::new('5', 100, 7777, 8000).expect("a key");
    while let Some(packet) = sender.next_packet() {
        all.push(packet);
    }
    assert_eq!(all.len(), 7, "five of 20 ms, two more ends");
    assert!(all[0].marker && !all[1].marker);
    // Every way to lose some of them, but not all.
    for kept in 1u32..1 << all.len() {
        let mut receiver = DtmfReceiver::new(8000);
        let mut heard = Vec::new();
        for (at, packet) in all.iter().enumerate().filter(|(at, _)| kept >> at & 1 == 1) {
            let _ = at;
            heard.extend(push(&mut receiver, packet.timestamp, packet.payload));
        }
        heard.extend((0..50).filter_map(|_| receiver.tick()));
        assert_eq!(heard.len(), 1, "kept {kept:07b}");
        assert_eq!(heard[0].char, '5');
    }
}

#[test]
fn the_digit_is_told_at_its_first_end_with_its_length() {
    let mut receiver = DtmfReceiver::new(8000);
    assert_eq!(push(&mut receiver, 100, event(11, 0, 160)), None);
    assert_eq!(push(&mut receiver, 100, event(11, 0, 320)), None);
    assert_eq!(push(&mut receiver, 100, event(11, END, 800)), Some(Digit { char: '#', duration_ms: 100 }));
    assert_eq!(push(&mut receiver, 100, event(11, END, 800)), None);
    assert_eq!(push(&mut receiver, 100, event(11, END, 800)), None);
}

#[test]
fn the_same_key_twice_is_two_digits() {
    let mut receiver = DtmfReceiver::new(8000);
    assert!(push(&mut receiver, 100, event(1, END, 800)).is_some());
    assert!(push(&mut receiver, 2500, event(1, END, 800)).is_some());
    // Also across the wrap of the timestamp, and when the sender's clock jumps back by much.
    assert!(push(&mut receiver, u32::MAX - 500_000, event(1, END, 800)).is_some());
    assert!(push(&mut receiver, u32::MAX - 100, event(1, END, 800)).is_some());
    assert!(push(&mut receiver, 1500, event(1, END, 800)).is_some());
}

#[test]
fn a_digit_without_its_end_comes_out_when_the_next_begins() {
    let mut receiver = DtmfReceiver::new(8000);
    assert_eq!(push(&mut receiver, 100, event(3, 0, 480)), None);
    assert_eq!(push(&mut receiver, 3000, event(4, END, 480)), Some(Digit { char: '3', duration_ms: 60 }));
    // And the next one with the repetition of its own end.
    assert_eq!(push(&mut receiver, 3000, event(4, END, 480)), Some(Digit { char: '4', duration_ms: 60 }));
}

#[test]
fn stragglers_of_an_earlier_digit_are_ignored() {
    let mut receiver = DtmfReceiver::new(8000);
    assert!(push(&mut receiver, 100, event(1, END, 800)).is_some());
    assert!(push(&mut receiver, 2500, event(2, END, 800)).is_some());
    assert_eq!(push(&mut receiver, 100, event(1, END, 800)), None);
    assert_eq!((0..50).find_map(|_| receiver.tick()), None);
}

#[test]
fn what_is_no_key_is_passed_over() {
    let mut receiver = DtmfReceiver::new(8000);
    // 16 is the hook flash.
    assert_eq!(push(&mut receiver, 1, event(16, END, 800)), None);
    let short = RtpPacket { marker: true, payload_type: 101, sequence: 1, timestamp: 5, ssrc: 1, payload: &[1, END] };
    assert_eq!(receiver.push(&short), None);
    assert!(DtmfSender::new('x', 100, 0, 8000).is_none());
    assert!(DtmfSender::new('d', 100, 0, 8000).is_some());
}

#[test]
fn a_key_held_for_longer_than_one_event_can_say_is_one_digit() {
    let mut receiver = DtmfReceiver::new(8000);
    let mut heard = Vec::new();
    // 20 s: two whole events, each begun where the one before ends, and a rest.
    for segment in 0..3u32 {
        let length = if segment < 2 { 0xFFFF } else { 160_000 - 2 * 0xFFFF };
        for duration in (160..length).step_by(160).chain([length]) {
            let end = if segment == 2 && duration == length { END } else { 0 };
            heard.extend(push(&mut receiver, 1000 + segment * 0xFFFF, event(5, end, duration as u16)));
            heard.extend(receiver.tick());
        }
    }
    assert_eq!(heard, [Digit { char: '5', duration_ms: 20_000 }]);
}

#[test]
fn beside_opus_durations_are_on_a_clock_of_48_khz() {
    let mut sender = DtmfSender::new('7', 100, 5, 48_000).expect("a key");
    let mut receiver = DtmfReceiver::new(48_000);
    let mut heard = Vec::new();
    while let Some(packet) = sender.next_packet() {
        heard.extend(push(&mut receiver, packet.timestamp, packet.payload));
    }
    assert_eq!(heard, [Digit { char: '7', duration_ms: 100 }]);
}
