//! Why a call has no audio in one direction: each cause is named once on the call's record, and nothing else is.
//! Virtual time; the packets are a caller's as a network or a wrong configuration leaves them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_call;

use std::time::Duration;

use edge_protocol::{EndCause, EventKind, MediaProblem};
use engine::audio::g711::Law;
use engine::call::{AgentSettings, MAX_PACKET_BYTES, MediaSession};
use engine::rtp::rtcp::{Report, ReportBlock};
use virtual_call::{CALLER, SPEECH, VirtualCall, agent, obedient, session};

const STRANGER: &str = "203.0.113.9:666";
const BEHIND_NAT: &str = "198.51.100.7:9999";

fn call() -> VirtualCall {
    let settings = AgentSettings { silence_after: Duration::from_secs(100), ..agent() };
    VirtualCall::new(settings, obedient("hello", "Hi."))
}

/// The problems told so far.
fn problems(call: &VirtualCall) -> Vec<(MediaProblem, &str)> {
    let problems = call.events.iter().filter_map(|event| match &event.kind {
        EventKind::MediaProblem { problem, detail } => Some((*problem, detail.as_str())),
        _ => None,
    });
    problems.collect()
}

/// The other side's report about our stream: how many packets it counts.
fn report(call: &mut VirtualCall, highest_sequence: Option<u32>) {
    let block = highest_sequence.map(|highest_sequence| ReportBlock {
        ssrc: 0x1234_5678,
        highest_sequence,
        ..ReportBlock::default()
    });
    let report = Report { ssrc: call.ssrc, sender: None, block, cname: "phone", bye: false };
    let mut packet = [0; 200];
    let bytes = report.write(&mut packet).unwrap();
    call.call.handle_rtcp(call.now, call.from, &packet[..bytes]);
}

#[test]
fn a_good_call_has_no_problem() {
    let mut call = call();
    for highest in 0..6 {
        call.caller_says(SPEECH);
        call.run_for(5000);
        report(&mut call, Some(65_530 + highest * 250));
    }
    call.end(EndCause::CallerHungUp);
    assert_eq!(problems(&call), []);
}

#[test]
fn rtp_from_another_source_in_mid_call_is_ignored_counted_and_named() {
    let mut call = call();
    call.caller_says(SPEECH);
    call.run_for(1000);
    for _ in 0..100 {
        call.from = STRANGER.parse().unwrap();
        assert!(!call.send_packet(false, 0, &[0x21; 160]));
        call.from = CALLER.parse().unwrap();
        call.step();
        assert!(call.call.last_frames().0.iter().any(|&byte| byte != 0x21), "the stranger's voice");
    }
    assert_eq!(call.call.quality().packets_ignored, 100);
    let detail = "RTP came from 203.0.113.9:666, not from 192.0.2.10:4000; ignored";
    assert_eq!(problems(&call), [(MediaProblem::ForeignSource, detail)]);
}

#[test]
fn a_caller_who_never_sends_is_named_and_hung_up_as_such() {
    let mut call = call();
    call.sending = false;
    call.run_for(6500);
    assert_eq!(problems(&call), [(MediaProblem::NoRtp, "no RTP from 192.0.2.10:4000")]);
    call.run_until("hang-up", |c| c.hang_up.is_some());
    assert_eq!(call.hang_up, Some(EndCause::NoRtp));
}

#[test]
fn a_caller_whose_packets_stop_is_named_and_why_if_it_said_so() {
    for (says_bye, detail) in [
        (false, "RTP from 192.0.2.10:4000 stopped"),
        (true, "RTP from 192.0.2.10:4000 stopped: it said goodbye (RTCP BYE)"),
    ] {
        let mut call = call();
        call.caller_says(SPEECH);
        call.run_for(4000);
        call.sending = false;
        if says_bye {
            let bye = Report { ssrc: call.ssrc, sender: None, block: None, cname: "phone", bye: true };
            let mut packet = [0; 200];
            let bytes = bye.write(&mut packet).unwrap();
            call.call.handle_rtcp(call.now, call.from, &packet[..bytes]);
        }
        call.run_for(6500);
        assert_eq!(problems(&call), [(MediaProblem::RtpStopped, detail)]);
    }
}

#[test]
fn a_codec_that_was_not_agreed_on_is_named_by_its_payload_type() {
    let mut call = call();
    call.sending = false;
    for _ in 0..300 {
        call.send_packet(false, 18, &[0; 20]);
        call.step();
    }
    assert_eq!(problems(&call), [(MediaProblem::PayloadType, "payload type 18 instead of 0")]);
}

#[test]
fn a_stream_goes_on_from_a_new_address_of_its_nat_once_the_old_one_is_silent() {
    let mut call = call();
    call.from = BEHIND_NAT.parse().unwrap();
    call.caller_says(SPEECH);
    call.run_for(3000);
    call.from = "198.51.100.7:5555".parse().unwrap();
    assert!(!call.send_packet(false, 0, &[0xFF; 160]), "the old one was there a moment ago");
    call.sending = false;
    call.run_for(2000);
    let mine = call.ssrc;
    call.ssrc = 0xBAD;
    assert!(!call.send_packet(false, 0, &[0xFF; 160]), "another stream is another's");
    call.ssrc = mine;
    call.sending = true;
    call.run_for(2000);
    assert_eq!(call.call.learned_source(), Some("198.51.100.7:5555".parse().unwrap()));
    let detail = "RTP moved from 198.51.100.7:9999 to 198.51.100.7:5555";
    assert_eq!(problems(&call), [(MediaProblem::SourceMoved, detail)]);
    let mut packet = [0; MAX_PACKET_BYTES];
    let sent = call.call.tick(call.now, &mut packet).unwrap();
    assert_eq!(sent.to.to_string(), "198.51.100.7:5555");
}

#[test]
fn the_signalled_address_is_final() {
    let mut call = call();
    call.run_for(1000);
    call.sending = false;
    call.run_for(4000);
    call.from = BEHIND_NAT.parse().unwrap();
    assert!(!call.send_packet(false, 0, &[0xFF; 160]));
}

#[test]
fn packets_of_ours_that_do_not_arrive_are_told_from_the_other_sides_reports() {
    // Nothing counted any more; never anything counted; no word of us.
    for counted in [Some(65_600), None] {
        let mut call = call();
        for _ in 0..4 {
            call.caller_says(SPEECH);
            call.run_for(5000);
            report(&mut call, counted);
        }
        call.run_for(1100);
        let problems = problems(&call);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].0, MediaProblem::NotReceived);
        assert!(problems[0].1.starts_with("our packets do not arrive: "), "{problems:?}");
    }
}

#[test]
fn a_caller_who_sends_nothing_but_silence_is_named() {
    let mut call = call();
    call.run_for(16_500);
    let detail = "the caller is silent: nothing above -96 dBov in 15 s";
    assert_eq!(problems(&call), [(MediaProblem::CallerSilent, detail)]);
    let mut short = self::call();
    short.run_for(6000);
    assert_eq!(problems(&short), []);
    short.end(EndCause::CallerHungUp);
    assert_eq!(problems(&short).len(), 1, "in a call that is over it is the whole of it");
}

#[test]
fn an_overdriven_caller_is_named() {
    let mut call = call();
    // Speech, 40 dB too loud.
    let loud: Vec<u8> = SPEECH
        .iter()
        .map(|&byte| Law::Mu.encode((i32::from(Law::Mu.decode(byte)) * 100).clamp(-32_768, 32_767) as i16))
        .collect();
    call.caller_says(&loud);
    call.run_for(4500);
    let problems = problems(&call);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].0, MediaProblem::Clipping);
}

#[test]
fn a_call_left_on_hold_ends_after_its_own_time_unless_reports_go_on() {
    for reports in [false, true] {
        let settings = AgentSettings { hold_timeout: Duration::from_secs(60), ..agent() };
        let mut call = VirtualCall::new(settings, obedient("hello", "Hi."));
        call.run_for(1000);
        call.call.change_media(call.now, MediaSession { sends: false, receives: false, ..session() });
        call.sending = false;
        for _ in 0..17 {
            call.run_for(5000);
            if reports {
                report(&mut call, Some(65_600));
            }
        }
        assert_eq!(call.hang_up, (!reports).then_some(EndCause::HoldTimeout));
        assert_eq!(problems(&call), [], "nothing is expected on hold");
    }
}
