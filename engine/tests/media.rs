//! The media of a call in virtual time: whose packets count, what a new source or session changes, what is sent.
//! Conversations are in `conversation.rs`; the jitter buffer behind bad networks is in `jitter_buffer.rs`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_call;

use std::time::Duration;

use edge_protocol::{EndCause, EventKind};
use engine::audio::g711::Law;
use engine::call::{AgentSettings, MAX_PACKET_BYTES, MediaSession, SpeechCommand};
use engine::clock::Moment;
use engine::rtp::RtpPacket;
use engine::rtp::rtcp::{self, Report, ReportBlock, RtcpPacket, SenderInfo};
use proptest::prelude::*;
use virtual_call::{CALLER, SPEECH, VirtualCall, agent, obedient, session};

fn idle_call() -> VirtualCall {
    VirtualCall::new(agent(), obedient("hello", "Hi."))
}

/// RTP as the caller hears it.
fn heard(call: &VirtualCall) -> Vec<RtpPacket<'_>> {
    call.packets.iter().map(|p| RtpPacket::parse(p).unwrap()).collect()
}

#[test]
fn a_packet_leaves_every_20_ms_with_consecutive_numbers() {
    let mut call = idle_call();
    call.run_for(2000);
    let packets = heard(&call);
    assert_eq!(packets.len(), 100);
    assert!(packets.windows(2).all(|w| w[1].sequence == w[0].sequence.wrapping_add(1)));
    assert!(packets.windows(2).all(|w| w[1].timestamp == w[0].timestamp.wrapping_add(160)));
    assert!(packets.iter().all(|p| p.payload.len() == 160 && p.ssrc == 0x1234_5678));
}

#[test]
fn a_talkspurt_begins_with_a_marker() {
    let mut call = idle_call();
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::TurnCompleted { .. })));
    let packets = heard(&call);
    let first_voice = packets.iter().position(|p| p.payload.contains(&0x21)).unwrap();
    assert!(packets[first_voice].marker);
    assert!(!packets[first_voice + 1].marker);
}

#[test]
fn packets_of_another_source_are_ignored_and_counted() {
    let mut call = idle_call();
    call.run_for(200);
    let real = call.from;
    call.from = "203.0.113.9:666".parse().unwrap();
    for _ in 0..10 {
        assert!(!call.send_packet(false, 0, &[0x21; 160]));
    }
    call.from = real;
    call.run_for(200);
    assert_eq!(call.call.quality().packets_ignored, 10);
    assert_eq!(call.call.learned_source(), Some(real));
}

#[test]
fn a_caller_behind_nat_is_answered_where_its_packets_come_from() {
    let mut call = idle_call();
    call.from = "198.51.100.7:9999".parse().unwrap();
    call.run_for(400);
    let mut packet = [0; MAX_PACKET_BYTES];
    let sent = call.call.tick(call.now, &mut packet).unwrap();
    assert_eq!(sent.to, call.from);
}

#[test]
fn a_stranger_who_sends_before_the_caller_does_is_not_let_in() {
    let mut call = idle_call();
    call.from = "203.0.113.9:666".parse().unwrap();
    assert!(!call.send_packet(false, 0, &[0x21; 160]));
    call.from = CALLER.parse().unwrap();
    assert!(call.send_packet(false, 0, &[0xFF; 160]));
}

#[test]
fn the_signalled_source_takes_the_call_back_from_whoever_came_first() {
    let mut call = idle_call();
    call.from = "203.0.113.9:666".parse().unwrap();
    call.run_for(400);
    call.from = CALLER.parse().unwrap();
    call.run_for(60);
    assert_eq!(call.call.learned_source(), Some(CALLER.parse().unwrap()));
    call.from = "203.0.113.9:666".parse().unwrap();
    assert!(!call.send_packet(false, 0, &[0xFF; 160]));
}

#[test]
fn a_new_ssrc_is_heard_at_once() {
    let mut call = idle_call();
    call.run_for(1000);
    call.ssrc = 0xBEEF;
    call.caller_says(SPEECH);
    call.run_until("transcript", |c| c.has(|k| matches!(k, EventKind::TurnTranscribed { .. })));
    assert_eq!(call.events.iter().filter(|e| e.kind == EventKind::SsrcChanged { ssrc: 0xBEEF }).count(), 1);
}

#[test]
fn stragglers_of_the_old_stream_do_not_disturb_the_new_one() {
    let mut call = idle_call();
    call.run_for(200);
    call.ssrc = 0xBEEF;
    call.run_for(40);
    call.ssrc = 0xCAFE;
    assert!(!call.send_packet(false, 0, &[0xFF; 160]));
    call.ssrc = 0xBEEF;
    call.run_for(200);
    assert_eq!(call.events.iter().filter(|e| matches!(e.kind, EventKind::SsrcChanged { .. })).count(), 1);
}

#[test]
fn a_caller_whose_packets_stop_is_hung_up() {
    let settings = AgentSettings { rtp_timeout: Duration::from_secs(5), ..agent() };
    let mut call = VirtualCall::new(settings, obedient("hello", "Hi."));
    call.run_for(500);
    call.sending = false;
    call.run_until("hang-up", |c| c.hang_up.is_some());
    assert_eq!(call.hang_up, Some(EndCause::RtpTimeout));
}

#[test]
fn a_call_on_hold_sends_nothing_and_is_not_hung_up_for_silence() {
    let mut call = idle_call();
    call.run_for(200);
    let mut held = session();
    held.sends = false;
    held.receives = false;
    call.call.change_media(call.now, held);
    call.sending = false;
    let before = call.packets.len();
    call.run_for(60_000);
    assert_eq!(call.packets.len(), before);
    assert_eq!(call.hang_up, None);
    call.call.change_media(call.now, session());
    call.sending = true;
    call.run_for(200);
    assert_eq!(call.packets.len(), before + 10);
    let on_hold: Vec<_> = call
        .kinds()
        .into_iter()
        .filter_map(|k| match k {
            EventKind::MediaChanged { on_hold, .. } => Some(*on_hold),
            _ => None,
        })
        .collect();
    assert_eq!(on_hold, [true, false]);
}

#[test]
fn a_call_held_in_any_of_the_usual_ways_is_not_hung_up() {
    let ways = [(true, false, CALLER), (false, true, CALLER), (false, true, "0.0.0.0:4000")];
    for (sends, receives, remote) in ways {
        let mut call = idle_call();
        call.run_for(200);
        let remote = remote.parse().unwrap();
        let held = MediaSession { sends, receives, remote_rtp: remote, remote_rtcp: remote, ..session() };
        call.call.change_media(call.now, held);
        call.sending = false;
        call.run_for(40_000);
        assert_eq!(call.hang_up, None, "sends {sends}, receives {receives}, {remote}");
    }
}

#[test]
fn the_codec_may_change_in_mid_call() {
    let mut call = idle_call();
    call.run_for(200);
    let mut changed = session();
    (changed.codec, changed.payload_type) = (Law::A.into(), 8);
    call.call.change_media(call.now, changed);
    call.packets.clear();
    call.run_for(100);
    let packets = heard(&call);
    assert!(packets.iter().all(|p| p.payload_type == 8));
    assert!(packets.iter().all(|p| p.payload.iter().all(|&b| Law::A.decode(b).abs() <= 8)));
}

#[test]
fn noise_is_suppressed_for_who_listens_and_kept_on_the_recording() {
    let mut turns = Vec::new();
    for noise_suppression in [false, true] {
        let settings = AgentSettings { noise_suppression, ..agent() };
        let mut call = VirtualCall::new(settings, obedient("hello", "Hi."));
        call.caller_says(SPEECH);
        let mut recorded = Vec::new();
        while !call.caller_is_quiet() {
            call.step();
            recorded.extend_from_slice(call.call.last_frames().0);
        }
        let said = recorded.windows(8000).any(|window| window == &SPEECH[4000..12_000]);
        assert!(said, "as it was said, suppression {noise_suppression}");
        call.run_until("transcript", |c| c.has(|k| matches!(k, EventKind::TurnTranscribed { .. })));
        turns.extend(call.commands.iter().find_map(|command| match command {
            SpeechCommand::Transcribe { audio, .. } => Some(audio.clone()),
            _ => None,
        }));
    }
    assert_ne!(turns[0], turns[1]);
}

#[test]
fn longer_packets_are_sent_when_asked_for() {
    let mut call = idle_call();
    let mut longer = session();
    longer.ptime_ms = 60;
    call.call.change_media(call.now, longer);
    call.packets.clear();
    call.run_for(600);
    let packets = heard(&call);
    assert_eq!(packets.len(), 10);
    assert!(packets.iter().all(|p| p.payload.len() == 480));
    assert!(packets.windows(2).all(|w| w[1].timestamp == w[0].timestamp.wrapping_add(480)));
}

#[test]
fn a_report_about_both_directions_is_sent_every_few_seconds() {
    let mut call = idle_call();
    let mut reports = Vec::new();
    for _ in 0..1500 {
        call.step();
        let mut packet = [0; MAX_PACKET_BYTES];
        if let Some(sent) = call.call.send_report(call.now, &mut packet) {
            reports.push(packet[..sent.bytes].to_vec());
        }
    }
    assert!((4..=12).contains(&reports.len()), "{} in 30 s", reports.len());
    let first = rtcp::parse(&reports[1]).next().unwrap().unwrap();
    let RtcpPacket::SenderReport(report) = first else { panic!("{first:?}") };
    assert!(report.info.packets > 0 && report.info.octets == report.info.packets * 160);
    let blocks: Vec<_> = report.blocks.collect();
    assert_eq!(blocks.len(), 1);
    assert_eq!((blocks[0].ssrc, blocks[0].cumulative_lost), (0xCAFE, 0));
}

/// The caller's report about our stream `round_trip_ms` after our own report left.
fn answer_report(call: &mut VirtualCall, round_trip_ms: u64) -> Vec<u8> {
    let mut packet = [0; MAX_PACKET_BYTES];
    let sent = loop {
        call.step();
        if let Some(sent) = call.call.send_report(call.now, &mut packet) {
            break sent;
        }
    };
    let first = rtcp::parse(&packet[..sent.bytes]).next().unwrap().unwrap();
    let RtcpPacket::SenderReport(ours) = first else { panic!("{first:?}") };
    call.run_for(round_trip_ms);
    let block = ReportBlock { ssrc: ours.ssrc, last_sr: (ours.info.ntp >> 16) as u32, ..ReportBlock::default() };
    let report = Report { ssrc: call.ssrc, sender: None, block: Some(block), cname: "phone", bye: false };
    let mut out = [0; 200];
    let bytes = report.write(&mut out).unwrap();
    out[..bytes].to_vec()
}

#[test]
fn the_round_trip_of_reports_is_half_the_delay_that_the_score_counts_until_it_is_old() {
    for reduced in [false, true] {
        let mut call = idle_call();
        call.run_for(1000);
        let before = call.call.quality().mos;
        let mut report = answer_report(&mut call, 800);
        if reduced {
            // The report alone, without a description of its source (RFC 5506).
            report.truncate(32);
        }
        call.call.handle_rtcp(call.now, call.from, &report);
        let after = call.call.quality().mos;
        assert!(after < before - 0.4, "{before} to {after}");
        for _ in 0..2000 {
            call.step();
            call.call.send_report(call.now, &mut [0; MAX_PACKET_BYTES]);
        }
        assert!(call.call.quality().mos > after + 0.4, "forgotten after 40 s without news");
    }
}

#[test]
fn reports_from_another_host_are_ignored_and_counted() {
    let mut call = idle_call();
    call.run_for(1000);
    let before = call.call.quality();
    let report = answer_report(&mut call, 800);
    call.call.handle_rtcp(call.now, "203.0.113.9:4001".parse().unwrap(), &report);
    let after = call.call.quality();
    assert_eq!(after.packets_ignored, before.packets_ignored + 1);
    assert!(after.mos > before.mos - 0.1, "{before:?} {after:?}");
}

#[test]
fn the_end_of_a_call_is_said_in_rtcp() {
    let mut call = idle_call();
    call.run_for(100);
    let mut packet = [0; MAX_PACKET_BYTES];
    let sent = call.call.end(call.now, EndCause::CallerHungUp, &mut packet).unwrap();
    let said_bye = rtcp::parse(&packet[..sent.bytes]).any(|p| matches!(p, Ok(RtcpPacket::Bye(_))));
    assert!(said_bye);
    assert!(call.call.end(call.now, EndCause::CallerHungUp, &mut packet).is_none());
}

#[test]
fn the_score_follows_the_loss() {
    let mut clean = idle_call();
    clean.run_for(10_000);
    let mut lossy = idle_call();
    for n in 0..500 {
        if n % 10 == 0 {
            lossy.sending = false;
            lossy.step();
            lossy.sending = true;
            lossy.skip_packet();
        } else {
            lossy.step();
        }
    }
    let (clean, lossy) = (clean.call.quality(), lossy.call.quality());
    assert!(clean.mos > 4.2 && lossy.mos < clean.mos - 0.3, "{clean:?} {lossy:?}");
    assert!((40..=60).contains(&lossy.packets_lost), "{lossy:?}");
}

proptest! {
    #[test]
    fn no_datagram_disturbs_a_call(datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..40)) {
        let mut call = idle_call();
        call.run_for(100);
        for datagram in &datagrams {
            call.call.handle_rtp(call.now, call.from, datagram);
            call.call.handle_rtcp(call.now, call.from, datagram);
            call.step();
        }
        call.run_for(100);
        prop_assert_eq!(call.packets.len(), 10 + datagrams.len());
    }

    #[test]
    fn no_rtcp_report_spoils_the_numbers(ntp in any::<u64>(), delay in any::<u32>(), at in 0_u64..10_000_000) {
        let mut call = idle_call();
        call.run_for(100);
        let info = SenderInfo { ntp, rtp_timestamp: delay, packets: delay, octets: delay };
        let report = Report { ssrc: 0xCAFE, sender: Some(info), block: None, cname: "x", bye: false };
        let mut out = [0; 200];
        let bytes = report.write(&mut out).unwrap();
        call.call.handle_rtcp(Moment(at), call.from, &out[..bytes]);
        call.run_for(10_000);
        let mos = call.call.quality().mos;
        prop_assert!((1.0..=4.5).contains(&mos));
    }
}
