//! The hot path allocates nothing: a counting allocator watches packets and ticks of calls in steady state.
//! What happens once a turn (buffers, messages) may allocate; what happens every 20 ms may not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod counting_allocator;
mod virtual_call;

use std::time::Duration;

use counting_allocator::allocations_so_far;
use engine::audio::codec::{Codec, Encoded, Encoder, OpusSettings};
use engine::audio::g711::Law;
use engine::audio::ringback::Country;
use engine::call::{
    AgentSettings, CallCommand, LawFrame, MAX_PACKET_BYTES, MediaSecurity, MediaSession, SrtpKeys, WhenLeft,
};
use engine::rtp::srtp::{MAX_TRAILER_BYTES, MasterKey, Profile, SendContext};
use engine::rtp::write_header;
use virtual_call::{CALLER, SPEECH, VirtualCall, agent, obedient, patient_agent, session, spoken};

use edge_protocol::EventKind;
use engine::call::{Reach, SpeechCommand, SpeechEvent, Tool, ToolCall, ToolDefinition, ToolService};
use serde_json::Value;

/// Allocations of `ticks` packets in and packets (and reports) out, with `audio` from the caller, repeated.
fn allocations(call: &mut VirtualCall, audio: &[u8], ticks: u32) -> u64 {
    allocations_with(call, ticks, |n, _, frame| {
        let at = n * 160 % (audio.len() - 160);
        frame.copy_from_slice(&audio[at..at + 160]);
    })
}

/// The same with what `line` makes of the number of the tick and of the agent's last frame.
fn allocations_with(call: &mut VirtualCall, ticks: u32, mut line: impl FnMut(usize, &LawFrame, &mut [u8])) -> u64 {
    let mut datagram = [0; 172];
    let mut packet = [0; MAX_PACKET_BYTES];
    let before = allocations_so_far();
    for n in 0..ticks {
        let mut header = [0; 12];
        write_header(&mut header, false, 0, 9000_u16.wrapping_add(n as u16), 90_000 + n * 160, 0xD00D);
        datagram[..12].copy_from_slice(&header);
        line(n as usize, call.call.last_frames().1, &mut datagram[12..]);
        call.call.handle_rtp(call.now, call.from, &datagram);
        call.call.tick(call.now, &mut packet);
        call.call.send_report(call.now, &mut packet);
        call.now = call.now + Duration::from_millis(20);
    }
    allocations_so_far() - before
}

#[test]
fn a_listening_call_allocates_nothing() {
    let mut call = VirtualCall::new(agent(), obedient("", ""));
    call.ssrc = 0xD00D;
    call.run_for(1000);
    assert_eq!(allocations(&mut call, &[0xFF; 320], 300), 0);
}

#[test]
fn a_call_in_which_the_agent_speaks_allocates_nothing() {
    let mut call = VirtualCall::new(agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Respond { utterance, .. } => spoken(0, *utterance, "Long.", 20_000, false),
        other => obedient("hello", "")(other),
    });
    call.ssrc = 0xD00D;
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::AnswerStarted { .. })));
    call.run_for(200);
    assert_eq!(allocations(&mut call, &[0xFF; 320], 500), 0);
}

#[test]
fn a_call_that_waits_for_a_tool_allocates_nothing() {
    let definition = ToolDefinition { name: "find".to_owned(), description: String::new(), parameters: Value::Null };
    let service = ToolService::Webhook { url: String::new(), secret: None, reach: Reach::Anywhere };
    let tool = Tool { definition, filler: "One moment.".to_owned(), timeout: Duration::from_secs(20), service };
    let agent = AgentSettings { tools: vec![tool.into()], ..patient_agent() };
    let mut call = VirtualCall::new(agent, |command: &SpeechCommand| match command {
        SpeechCommand::Respond { utterance, .. } => {
            let utterance = *utterance;
            let found = ToolCall { id: "1".to_owned(), name: "find".to_owned(), arguments: "{}".to_owned() };
            let called = SpeechEvent::ToolsCalled { utterance, calls: vec![found] };
            vec![(0, called), (0, SpeechEvent::Said { utterance })]
        }
        other => obedient("hello", "")(other),
    });
    call.ssrc = 0xD00D;
    call.caller_says(SPEECH);
    call.run_until("filler", |c| c.voice_bytes() > 0);
    call.run_for(40);
    assert_eq!(allocations(&mut call, &[0xFF; 320], 500), 0);
}

#[test]
fn an_encrypted_call_allocates_nothing() {
    for profile in [Profile::Aes128CmSha1_80, Profile::Aes128CmSha1_32, Profile::Aes128Gcm, Profile::Aes256Gcm] {
        let key = MasterKey::new(profile, &vec![1; profile.key_bytes() + profile.salt_bytes()]).unwrap();
        let security = MediaSecurity::Srtp(SrtpKeys { ours: key.clone(), theirs: key.clone(), mki: None });
        let mut call = VirtualCall::with_session(MediaSession { security, ..session() }, agent(), obedient("", ""));
        call.sending = false;
        call.run_for(1000);
        let mut sender = SendContext::new(&key);
        let (mut datagram, mut packet) = ([0xFF; 172 + MAX_TRAILER_BYTES], [0; MAX_PACKET_BYTES]);
        let before = allocations_so_far();
        for n in 0..300_u32 {
            datagram[12..172].fill(0xFF);
            write_header(datagram.first_chunk_mut().unwrap(), false, 0, 65_400_u16.wrapping_add(n as u16), n * 160, 7);
            let bytes = sender.protect_rtp(&mut datagram, 172).unwrap();
            assert!(call.call.handle_rtp(call.now, call.from, &datagram[..bytes]));
            assert!(!call.call.handle_rtp(call.now, call.from, &datagram[..bytes]), "a replay");
            assert!(call.call.tick(call.now, &mut packet).is_some());
            call.call.send_handshake(call.now, &mut packet);
            call.call.send_report(call.now, &mut packet);
            call.now = call.now + Duration::from_millis(20);
        }
        assert_eq!(allocations_so_far() - before, 0, "{profile:?}");
    }
}

#[test]
fn a_call_in_which_the_agent_hears_its_echo_allocates_nothing() {
    let mut call = VirtualCall::new(agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Respond { utterance, .. } => {
            let utterance = *utterance;
            let audio = SPEECH.iter().copied().cycle().take(160_000).collect();
            vec![
                (0, SpeechEvent::Sentence { utterance, text: "Long.".to_owned() }),
                (0, SpeechEvent::Voice { utterance, audio }),
            ]
        }
        other => obedient("hello", "")(other),
    });
    call.ssrc = 0xD00D;
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::AnswerStarted { .. })));
    call.run_for(40);
    // What the agent said 20 ms ago, 12 dB quieter: the gate is open, and nobody speaks.
    let counted = allocations_with(&mut call, 300, |_, said, frame| {
        for (to, byte) in frame.iter_mut().zip(said) {
            *to = Law::Mu.encode(Law::Mu.decode(*byte) / 4);
        }
    });
    assert_eq!(counted, 0);
}

#[test]
fn a_call_in_which_the_caller_speaks_allocates_only_where_a_turn_outgrows_its_buffer() {
    let mut call = VirtualCall::new(patient_agent(), obedient("hello", "Hi."));
    call.ssrc = 0xD00D;
    call.caller_says(SPEECH);
    call.run_until("speech", |c| c.has(|k| matches!(k, EventKind::SpeechStarted { .. })));
    // Ten seconds of speech without a pause: a buffer of 2 s doubles three times.
    let loud: Vec<u8> = SPEECH.iter().copied().filter(|b| b & 0x7F < 0x50).collect();
    let counted = allocations(&mut call, &loud, 500);
    assert!(counted <= 3, "{counted} allocations in 500 ticks");
}

#[test]
fn a_call_whose_caller_is_silent_allocates_only_when_that_is_told() {
    let mut call =
        VirtualCall::new(AgentSettings { silence_after: Duration::from_secs(100), ..agent() }, obedient("", ""));
    call.ssrc = 0xD00D;
    call.run_for(20_000);
    assert!(call.has(|k| matches!(k, EventKind::MediaProblem { .. })));
    assert_eq!(allocations(&mut call, &[0xFF; 320], 300), 0);
}

#[test]
fn pressing_keys_allocates_nothing_as_events_or_as_tones() {
    for telephone_event in [Some(101), None] {
        let mut call = VirtualCall::new(agent(), obedient("", ""));
        call.ssrc = 0xD00D;
        call.call.change_media(call.now, MediaSession { telephone_event, ..session() });
        call.run_for(1000);
        call.call.send_keys("0123456789*#ABCD").expect("keys");
        assert_eq!(allocations(&mut call, &[0xFF; 320], 300), 0);
    }
}

#[test]
fn a_call_in_any_codec_allocates_nothing() {
    let opus = |fec, dtx| Codec::Opus(OpusSettings { complexity: 5, bitrate: 20_000, fec, dtx });
    for codec in [Codec::G722, opus(true, false), opus(false, true), Law::A.into()] {
        let mut call = VirtualCall::new(agent(), |command: &SpeechCommand| match command {
            SpeechCommand::Respond { utterance, .. } => spoken(0, *utterance, "Long.", 20_000, false),
            other => obedient("hello", "")(other),
        });
        call.caller_says(SPEECH);
        call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::AnswerStarted { .. })));
        let mut session = MediaSession::new(codec, 96, CALLER.parse().unwrap());
        (session.comfort_noise, session.pauses, session.ptime_ms) = (Some(13), true, 30);
        call.call.change_media(call.now, session);
        call.sending = false;
        call.run_for(100);
        let mut encoder = Encoder::new(codec);
        // A faint hiss, with every tenth packet missing and one of noise now and then.
        let packets: Vec<Vec<u8>> = (0..400_u32)
            .map(|n| {
                let hiss: Vec<i16> =
                    (0..160_u32).map(|at| ((n * 160 + at).wrapping_mul(2_654_435_761) >> 28) as i16 - 8).collect();
                let (mut payload, mut header) = ([0; 200], [0; 12]);
                let (Encoded::Voice(bytes) | Encoded::Silence(bytes)) = encoder.encode(&hiss, &mut payload);
                let (payload_type, payload) = if n % 50 == 49 { (13, &[60][..]) } else { (96, &payload[..bytes]) };
                write_header(&mut header, false, payload_type, n as u16, n * 160 * codec.ticks_per_sample(), 0xD00D);
                [&header, payload].concat()
            })
            .collect();
        let mut packet = [0; MAX_PACKET_BYTES];
        let mut sent = 0;
        // The first packet of the new stream is an event.
        call.call.handle_rtp(call.now, call.from, &packets[0]);
        let before = allocations_so_far();
        for (n, datagram) in packets.iter().enumerate().skip(1) {
            if n % 10 != 3 {
                call.call.handle_rtp(call.now, call.from, datagram);
            }
            let mut one = call.call.tick(call.now, &mut packet);
            while one.is_some() {
                sent += 1;
                one = call.call.send_more(&mut packet);
            }
            call.call.send_report(call.now, &mut packet);
            call.now = call.now + Duration::from_millis(20);
        }
        assert_eq!(allocations_so_far() - before, 0, "{codec:?}");
        assert!(sent > 20, "{sent} packets in {codec:?}");
        assert!(call.call.quality().packets_lost > 20);
    }
}

#[test]
fn a_call_over_frames_in_which_the_agent_speaks_allocates_nothing() {
    let mut call = VirtualCall::over_frames(agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Respond { utterance, .. } => spoken(0, *utterance, "Long.", 20_000, false),
        other => obedient("hello", "")(other),
    });
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::AnswerStarted { .. })));
    call.run_for(200);
    let mut packet = [0; MAX_PACKET_BYTES];
    let mut marks = None;
    let before = allocations_so_far();
    for n in 0..500 {
        call.call.handle_frame(call.now, &[0xFF; 160]);
        call.call.tick(call.now, &mut packet);
        assert!(call.call.frame_to_send().is_some());
        marks = call.call.mark_to_send().or(marks);
        if let Some(mark) = marks.take_if(|_| n % 40 == 0) {
            call.call.handle_played(call.now, mark);
        }
        call.now = call.now + Duration::from_millis(20);
    }
    assert_eq!(allocations_so_far() - before, 0);
}

#[test]
fn a_caller_who_waits_allocates_nothing_whether_it_rings_or_there_is_early_media() {
    let mut call = VirtualCall::new(agent(), obedient("", ""));
    call.ssrc = 0xD00D;
    call.run_for(1000);
    for command in [CallCommand::StepAside, CallCommand::Ring(Country::default())] {
        call.call.command(call.now, command);
    }
    assert_eq!(allocations(&mut call, &[0xFF; 320], 400), 0);
    let mut other = VirtualCall::new(agent(), obedient("", ""));
    other.run_for(1000);
    let mut packet = [0; MAX_PACKET_BYTES];
    let before = allocations_so_far();
    for _ in 0..20 {
        call.call.hear_early(other.call.early_media().unwrap());
        assert!(call.call.tick(call.now, &mut packet).is_some());
        call.now = call.now + Duration::from_millis(20);
    }
    assert_eq!(allocations_so_far() - before, 0);
}

#[test]
fn a_bridged_call_allocates_nothing() {
    let [mut one, mut other] = [(); 2].map(|()| VirtualCall::new(agent(), obedient("", "")));
    for (call, with) in [(&mut one, "other"), (&mut other, "one")] {
        call.ssrc = 0xD00D;
        call.run_for(1000);
        call.call.bridge(call.now, with, WhenLeft::HangUp);
        while call.call.pop_fact().is_some() {}
    }
    let mut packet = [0; MAX_PACKET_BYTES];
    let mut counted = 0;
    for n in 0..500_u32 {
        let mut datagram = [0x21; 172];
        let (header, _) = datagram.split_first_chunk_mut().unwrap();
        write_header(header, false, 0, 9000_u16.wrapping_add(n as u16), 90_000 + n * 160, 0xD00D);
        let before = allocations_so_far();
        one.call.handle_rtp(one.now, one.from, &datagram);
        // Else it would be told that nothing arrives.
        other.call.handle_rtp(other.now, other.from, &datagram);
        assert!(one.call.tick(one.now, &mut packet).is_some());
        let crossing = one.call.take_crossing().unwrap();
        other.call.hear_peer(crossing);
        assert!(other.call.tick(other.now, &mut packet).is_some());
        counted += allocations_so_far() - before;
        one.now = one.now + Duration::from_millis(20);
        other.now = one.now;
    }
    assert_eq!(counted, 0);
    assert!(packet[12..172].iter().all(|&byte| byte == 0x21), "what one said was sent to the other");
}
