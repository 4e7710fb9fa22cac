//! Keys of a call in virtual time: pressed by the agent as events or tones, heard from the caller however it tells them.
//! RFC 4733's packets one by one are the audio code's tests; here it is what the other side and the record get.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_call;

use std::fs;

use edge_protocol::EventKind;
use engine::audio::dtmf::{Digit, DtmfReceiver};
use engine::audio::dtmf_tones::{ToneDetector, ToneSender};
use engine::audio::g711::Law;
use engine::call::{AgentSettings, KeysBy, KeysError, MediaSession, SpeechCommand};
use engine::rtp::RtpPacket;
use virtual_call::{Sent, VirtualCall, agent, obedient, session, spoken};

fn idle_call() -> VirtualCall {
    VirtualCall::new(agent(), obedient("hello", "Hi."))
}

/// A call whose other side did not agree to telephone-event.
fn call_without_events() -> VirtualCall {
    let mut call = idle_call();
    call.call.change_media(call.now, MediaSession { telephone_event: None, ..session() });
    call
}

fn sent(call: &VirtualCall) -> Vec<RtpPacket<'_>> {
    call.packets.iter().map(|packet| RtpPacket::parse(packet).unwrap()).collect()
}

/// Keys on the call's record.
fn pressed(call: &VirtualCall) -> String {
    let keys = call.events.iter().filter_map(|event| match event.kind {
        EventKind::Dtmf { digit, .. } => Some(digit),
        _ => None,
    });
    keys.collect()
}

/// The key as audio, and a pause after it.
fn tone(key: char) -> Vec<u8> {
    let mut sender = ToneSender::new(key).unwrap();
    let (mut frame, mut audio) = ([0; 160], Vec::new());
    while sender.next_frame(&mut frame) {
        audio.extend(frame.map(|sample| Law::Mu.encode(sample)));
    }
    audio.extend([Law::Mu.silence(); 1600]);
    audio
}

#[test]
fn keys_that_go_through_the_signalling_come_one_by_one_and_are_not_heard() {
    let mut call = idle_call();
    call.call.change_media(call.now, MediaSession { keys: KeysBy::Signalling, ..session() });
    call.run_for(200);
    call.packets.clear();
    call.call.send_keys("4a#").unwrap();
    call.run_for(1000);
    let keys: String = call.signalled.iter().map(|(_, key)| *key).collect();
    assert_eq!(keys, "4A#");
    let gaps = call.signalled.windows(2).map(|pair| pair[1].0.since(pair[0].0).as_millis());
    assert!(gaps.into_iter().all(|gap| gap >= 200));
    assert!(sent(&call).iter().all(|packet| packet.payload_type == 0 && packet.payload == [0xFF; 160]));
}

#[test]
fn keys_in_the_audio_are_tones_though_events_were_agreed_on() {
    let mut call = idle_call();
    call.call.change_media(call.now, MediaSession { keys: KeysBy::Tones, ..session() });
    call.run_for(200);
    call.packets.clear();
    call.call.send_keys("7").unwrap();
    call.run_for(400);
    let mut detector = ToneDetector::new();
    let heard = sent(&call)
        .iter()
        .filter_map(|packet| {
            let mut frame = [0; 160];
            frame.iter_mut().zip(packet.payload).for_each(|(sample, byte)| *sample = Law::Mu.decode(*byte));
            detector.push(&frame)
        })
        .map(|key| key.char)
        .collect::<String>();
    assert_eq!(heard, "7");
}

#[test]
fn keys_are_sent_as_events_in_the_numbering_and_on_the_clock_of_the_audio() {
    let mut call = idle_call();
    call.run_for(200);
    call.call.send_keys("4#").unwrap();
    call.run_for(1000);
    let packets = sent(&call);
    assert!(packets.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    let first = packets[0];
    let events: Vec<_> = packets.iter().enumerate().filter(|(_, packet)| packet.payload_type == 101).collect();
    // Two keys: five packets of 20 ms each, the last of which is sent three times.
    assert_eq!(events.len(), 14);
    let mut receiver = DtmfReceiver::new(8000);
    let heard: Vec<Digit> = events.iter().filter_map(|(_, packet)| receiver.push(packet)).collect();
    assert_eq!(heard, [Digit { char: '4', duration_ms: 100 }, Digit { char: '#', duration_ms: 100 }]);
    for key in events.chunks(7) {
        let (at, begins) = key[0];
        assert!(begins.marker && key[1..].iter().all(|(_, packet)| !packet.marker));
        assert!(key.iter().all(|(_, packet)| packet.timestamp == begins.timestamp));
        assert_eq!(begins.timestamp.wrapping_sub(first.timestamp), at as u32 * 160, "the moment the key went down");
        let ends = key.iter().filter(|(_, packet)| packet.payload[1] & 0x80 != 0).count();
        assert_eq!((ends, begins.payload[1] & 0x3F), (3, 10), "ends, volume");
    }
    // Audio is where it would have been.
    let last = packets.last().unwrap();
    assert_eq!(last.timestamp.wrapping_sub(first.timestamp), (packets.len() as u32 - 1) * 160);
}

#[test]
fn the_agents_voice_waits_for_its_keys_and_nothing_of_it_is_lost() {
    let settings = AgentSettings { greeting: "A long one.".to_owned(), ..agent() };
    let mut call = VirtualCall::new(settings, |command: &SpeechCommand| match command {
        SpeechCommand::Say { utterance, .. } => spoken(0, *utterance, "A long one.", 2000, false),
        _ => Vec::new(),
    });
    call.run_for(500);
    call.call.send_keys("12,3").unwrap();
    call.run_for(3500);
    assert_eq!(call.voice_bytes(), 16_000, "two seconds");
    assert_eq!(sent(&call).iter().filter(|packet| packet.payload_type == 101).count(), 21);
}

#[test]
fn keys_are_sent_as_tones_where_events_were_not_agreed_on() {
    let mut call = call_without_events();
    call.run_for(200);
    call.call.send_keys("159D*").unwrap();
    call.run_for(2000);
    let mut detector = ToneDetector::new();
    let heard = sent(&call).into_iter().filter_map(|packet| {
        let mut frame = [0; 160];
        Law::Mu.decode_into(packet.payload, &mut frame);
        detector.push(&frame).map(|digit| digit.char)
    });
    assert_eq!(heard.collect::<String>(), "159D*");
}

#[test]
fn keys_go_to_a_caller_over_frames_as_tones() {
    let mut call = VirtualCall::over_frames(agent(), obedient("hello", "Hi."));
    call.run_for(100);
    call.call.send_keys("7").unwrap();
    call.run_for(500);
    let mut detector = ToneDetector::new();
    let heard = call.sent.iter().filter_map(|(_, sent)| {
        let Sent::Frame(law) = sent else { return None };
        let mut frame = [0; 160];
        Law::Mu.decode_into(&law[..], &mut frame);
        detector.push(&frame).map(|digit| digit.char)
    });
    assert_eq!(heard.collect::<String>(), "7");
}

#[test]
fn what_is_no_key_is_refused_with_all_beside_it() {
    let mut call = idle_call();
    assert_eq!(call.call.send_keys("12x"), Err(KeysError::NoKey('x')));
    assert_eq!(call.call.send_keys(&"1".repeat(65)), Err(KeysError::TooMany));
    call.run_for(1000);
    assert!(sent(&call).iter().all(|packet| packet.payload_type == 0));
}

#[test]
fn tones_are_keys_only_where_events_were_not_agreed_on() {
    let mut without = call_without_events();
    let mut with = idle_call();
    for call in [&mut without, &mut with] {
        for key in ['1', '1', '0', '#'] {
            call.caller_says(&tone(key));
        }
        call.run_for(2500);
    }
    assert_eq!(pressed(&without), "110#");
    assert_eq!(pressed(&with), "");
}

#[test]
fn a_key_that_is_told_in_two_ways_is_one_and_pressed_twice_it_is_two() {
    let mut call = call_without_events();
    for _ in 0..2 {
        call.caller_says(&tone('5'));
        call.run_for(200);
        call.call.handle_key(call.now, Digit { char: '5', duration_ms: 160 });
        call.run_for(400);
    }
    // INFO alone.
    call.call.handle_key(call.now, Digit { char: '6', duration_ms: 160 });
    call.call.handle_key(call.now, Digit { char: '6', duration_ms: 160 });
    call.run_for(40);
    assert_eq!(pressed(&call), "5566");
}

#[test]
fn the_first_key_of_a_call_is_heard_whatever_comes_before_it() {
    for silence_first in [false, true] {
        let mut call = idle_call();
        if silence_first {
            call.run_for(100);
        }
        call.caller_presses(3);
        call.run_for(100);
        assert_eq!(pressed(&call), "3", "audio first: {silence_first}");
    }
}

#[test]
fn sipps_captures_of_every_key_are_heard() {
    let names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "star", "pound"];
    for (name, key) in names.iter().zip("0123456789*#".chars()) {
        let capture =
            fs::read(format!("/usr/share/sip-tester/dtmf_2833_{name}.pcap")).expect("the Debian package sip-tester");
        let mut receiver = DtmfReceiver::new(8000);
        let mut heard = Vec::new();
        // A file header of 24 bytes; of each packet a header of 16 with its length at 8, then Ethernet, IP, UDP: 42.
        let mut rest = &capture[24..];
        while let Some((header, more)) = rest.split_at_checked(16) {
            let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
            let (frame, more) = more.split_at(length);
            rest = more;
            heard.extend(receiver.push(&RtpPacket::parse(&frame[42..]).unwrap()));
        }
        heard.extend((0..20).filter_map(|_| receiver.tick()));
        assert_eq!(heard.iter().map(|digit| digit.char).collect::<Vec<_>>(), [key], "{name}");
    }
}
