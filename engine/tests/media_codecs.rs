//! The codecs of a call in virtual time: changed in mid-call, in packets as long as the other side wants, and silent.
//! What is in the packets is `codecs.rs`', everything else about a call's media `media.rs`'.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_call;

use edge_protocol::EventKind;
use engine::audio::codec::{Codec, Decoder, OpusSettings};
use engine::audio::g711::Law;
use engine::call::{MediaSession, SpeechCommand, SpeechEvent};
use engine::rtp::RtpPacket;
use virtual_call::{CALLER, SPEECH, VirtualCall, agent, obedient, session};

const OPUS: Codec = Codec::Opus(OpusSettings { complexity: 5, bitrate: 24_000, fec: false, dtx: false });

fn coded(codec: Codec, payload_type: u8) -> MediaSession {
    MediaSession { telephone_event: Some(101), ..MediaSession::new(codec, payload_type, CALLER.parse().unwrap()) }
}

/// A call whose agent has begun to sound a tone for a minute.
fn sounding() -> VirtualCall {
    let tone = |n: usize| Law::Mu.encode((8000.0 * (n as f64 * 440.0 * std::f64::consts::TAU / 8000.0).sin()) as i16);
    let mut call = VirtualCall::new(agent(), move |command: &SpeechCommand| match command {
        SpeechCommand::Respond { utterance, .. } => {
            let (utterance, audio) = (*utterance, (0..480_000).map(tone).collect::<Vec<u8>>().into());
            vec![
                (100, SpeechEvent::FirstToken { utterance }),
                (100, SpeechEvent::Sentence { utterance, text: "Long.".to_owned() }),
                (100, SpeechEvent::Voice { utterance, audio }),
            ]
        }
        other => obedient("hello", "")(other),
    });
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::AnswerStarted { .. })));
    call.run_for(200);
    call.packets.clear();
    call
}

fn sent(call: &VirtualCall) -> Vec<RtpPacket<'_>> {
    call.packets.iter().map(|packet| RtpPacket::parse(packet).unwrap()).collect()
}

fn codec_of(packet: &RtpPacket<'_>) -> Codec {
    if packet.payload_type == 96 { OPUS } else { Law::Mu.into() }
}

#[test]
fn a_call_goes_to_opus_and_back_as_one_stream() {
    let mut call = sounding();
    call.run_for(500);
    call.call.change_media(call.now, coded(OPUS, 96));
    call.run_for(500);
    call.call.change_media(call.now, session());
    call.run_for(500);
    let packets = sent(&call);
    let kinds: Vec<u8> = packets.iter().map(|packet| packet.payload_type).collect();
    assert_eq!(kinds, [[0; 25], [96; 25], [0; 25]].concat());
    for two in packets.windows(2) {
        assert_eq!((two[1].ssrc, two[1].sequence), (two[0].ssrc, two[0].sequence.wrapping_add(1)));
        let step = 160 * codec_of(&two[0]).ticks_per_sample();
        assert_eq!(two[1].timestamp, two[0].timestamp.wrapping_add(step));
        assert_eq!(two[1].marker, two[0].payload_type != two[1].payload_type);
    }
    let changes: Vec<&str> = call
        .kinds()
        .into_iter()
        .filter_map(|kind| if let EventKind::MediaChanged { codec, .. } = kind { Some(codec.as_str()) } else { None })
        .collect();
    assert_eq!(changes, ["opus", "PCMU"]);
}

#[test]
fn what_is_sent_does_not_click_when_the_codec_changes() {
    let mut call = sounding();
    call.run_for(500);
    call.call.change_media(call.now, coded(OPUS, 96));
    call.run_for(500);
    call.call.change_media(call.now, session());
    call.run_for(500);
    // Each part as its decoder gives it; Opus begins with the 6.5 ms it looks ahead.
    let (mut law, mut opus) = (Decoder::new(Law::Mu.into()), Decoder::new(OPUS));
    let mut opus_packets = 0;
    for packet in sent(&call) {
        opus_packets += u32::from(packet.payload_type == 96);
        let mut samples = [0; 960];
        let decoder = if packet.payload_type == 96 { &mut opus } else { &mut law };
        let length = decoder.decode(packet.payload, &mut samples).unwrap();
        assert_eq!(length, 160);
        // A 440 Hz tone of this level moves by at most 2764 from one sample to the next.
        let steepest = samples[..160].windows(2).map(|two| (i32::from(two[1]) - i32::from(two[0])).abs()).max();
        // Opus sets in within its first packets: the tone begins at once there, as it would at its beginning.
        let allowed = if packet.payload_type == 96 && opus_packets <= 2 { 8000 } else { 3600 };
        assert!(steepest.unwrap() < allowed, "{steepest:?}");
    }
}

#[test]
fn what_is_heard_does_not_click_when_the_codec_changes() {
    let mut call = VirtualCall::new(agent(), obedient("hello", "Hi."));
    let tone: Vec<i16> =
        (0..8000).map(|n| (8000.0 * (f64::from(n) * 440.0 * std::f64::consts::TAU / 8000.0).sin()) as i16).collect();
    let mut heard: Vec<i16> = Vec::new();
    let (mut encoder, mut timestamp) = (engine::audio::codec::Encoder::new(Law::Mu.into()), 0_u32);
    for (n, frame) in tone.chunks_exact(160).enumerate() {
        let codec = if (20..35).contains(&n) { OPUS } else { Law::Mu.into() };
        let payload_type = if codec == OPUS { 96 } else { 0 };
        if n == 20 || n == 35 {
            call.call.change_media(call.now, coded(codec, payload_type));
            encoder = engine::audio::codec::Encoder::new(codec);
        }
        let (mut datagram, mut payload) = (vec![0; 12], [0; 200]);
        let (engine::audio::codec::Encoded::Voice(bytes) | engine::audio::codec::Encoded::Silence(bytes)) =
            encoder.encode(frame, &mut payload);
        let header = datagram.first_chunk_mut().unwrap();
        engine::rtp::write_header(header, false, payload_type, 500 + n as u16, timestamp, 0xCAFE);
        datagram.extend_from_slice(&payload[..bytes]);
        assert!(call.call.handle_rtp(call.now, call.from, &datagram), "packet {n}");
        timestamp += 160 * codec.ticks_per_sample();
        call.sending = false;
        call.step();
        heard.extend(call.call.last_frames().0.map(|byte| Law::Mu.decode(byte)));
    }
    let steepest = heard.windows(2).map(|two| (i32::from(two[1]) - i32::from(two[0])).abs()).max().unwrap();
    assert!(steepest < 4200, "{steepest}");
    let loud = heard.iter().filter(|sample| sample.unsigned_abs() > 1000).count();
    assert!(loud > 6000, "{loud} of 8000 samples of the tone");
}

#[test]
fn packets_are_as_long_as_the_other_side_wants_whatever_the_codec() {
    for (codec, payload_type, lengths) in [
        (Law::Mu.into(), 0, [10, 20, 30, 40, 60]),
        (Codec::G722, 9, [10, 20, 30, 40, 60]),
        (OPUS, 96, [10, 20, 20, 40, 60]),
    ] {
        for (asked, ms) in [10, 20, 30, 40, 60].into_iter().zip(lengths) {
            let mut call = sounding();
            call.call.change_media(call.now, MediaSession { ptime_ms: asked, ..coded(codec, payload_type) });
            call.run_for(1200);
            let packets = sent(&call);
            assert_eq!(packets.len(), 1200 / ms as usize, "{} by {asked} ms", codec.name());
            let step = ms * codec.clock_rate_hz() / 1000;
            assert!(packets.windows(2).all(|two| two[1].timestamp == two[0].timestamp.wrapping_add(step)));
            let mut decoder = Decoder::new(codec);
            for packet in &packets {
                let mut samples = [0; Decoder::LONGEST_PACKET];
                assert_eq!(decoder.decode(packet.payload, &mut samples), Some(ms as usize * 8));
            }
        }
    }
}

#[test]
fn silence_is_described_instead_of_sent_where_both_sides_want_that() {
    let mut call = VirtualCall::new(agent(), obedient("hello", "Hi."));
    let quiet = MediaSession { comfort_noise: Some(13), pauses: true, ..session() };
    call.call.change_media(call.now, quiet);
    call.run_for(2000);
    let packets = sent(&call);
    let (noise, audio): (Vec<&RtpPacket<'_>>, Vec<_>) = packets.iter().partition(|packet| packet.payload_type == 13);
    assert!((8..=10).contains(&audio.len()), "{} packets of silence", audio.len());
    assert!((4..=5).contains(&noise.len()), "{} packets of noise", noise.len());
    assert!(noise.iter().all(|packet| packet.payload == [70]));
    assert!(noise.windows(2).all(|two| two[1].timestamp == two[0].timestamp.wrapping_add(20 * 160)));
    call.packets.clear();
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::AnswerStarted { .. })));
    call.run_for(200);
    let packets = sent(&call);
    let first = packets.iter().find(|packet| packet.payload.contains(&0x21)).unwrap();
    assert!(first.marker, "a talkspurt begins");
    let without = MediaSession { comfort_noise: None, pauses: true, ..session() };
    let mut call = VirtualCall::new(agent(), obedient("hello", "Hi."));
    call.call.change_media(call.now, without);
    call.run_for(2000);
    assert_eq!(call.packets.len(), 100, "silence is sent to those who did not agree");
}

#[test]
fn opus_does_not_send_silence_where_that_was_agreed_on() {
    let dtx = Codec::Opus(OpusSettings { complexity: 5, bitrate: 24_000, fec: false, dtx: true });
    let mut call = VirtualCall::new(agent(), obedient("hello", "Hi."));
    call.call.change_media(call.now, coded(dtx, 96));
    call.run_for(4000);
    let packets = sent(&call);
    assert!(packets.len() < 50, "{} packets of silence", packets.len());
    assert!(packets.windows(2).all(|two| two[1].sequence == two[0].sequence.wrapping_add(1)));
    let last = packets.last().unwrap().timestamp.wrapping_sub(packets[0].timestamp);
    assert!(last > 48 * 3000, "time passes all the same: {last}");
}

#[test]
fn audio_is_taken_by_either_number_where_the_two_sides_use_different_ones() {
    let mut call = VirtualCall::new(agent(), obedient("hello", "Hi."));
    call.call.change_media(call.now, MediaSession { receive_payload_type: 96, ..coded(Codec::G722, 111) });
    assert!(call.send_packet(false, 96, &[0xFF; 160]));
    assert!(call.send_packet(false, 111, &[0xFF; 160]));
    assert!(!call.send_packet(false, 97, &[0xFF; 160]));
    call.run_for(100);
    assert!(sent(&call).iter().all(|packet| packet.payload_type == 111));
}
