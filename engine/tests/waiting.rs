//! Callers who wait to be given to somebody else, in virtual time: it rings, the other side is heard early, or it fails.
//! The tones themselves are tested beside them, whole transfers in `loadtest`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_call;

use edge_protocol::EventKind;
use engine::audio::g711::Law;
use engine::audio::ringback::{Country, Ringback};
use engine::call::{CallCommand, WhenLeft};
use engine::rtp::RtpPacket;
use virtual_call::{SPEECH, VirtualCall, agent, obedient};

/// A caller whose agent stepped aside, and who hears it ring.
fn waiting() -> VirtualCall {
    let mut call = VirtualCall::new(agent(), obedient("hello", "Hi."));
    call.run_for(1000);
    for command in [CallCommand::StepAside, CallCommand::Ring(Country::default())] {
        call.call.command(call.now, command);
    }
    call.packets.clear();
    call
}

/// All that was sent to the caller, law-encoded.
fn heard(call: &VirtualCall) -> Vec<u8> {
    call.packets.iter().flat_map(|packet| RtpPacket::parse(packet).unwrap().payload.to_vec()).collect()
}

#[test]
fn a_caller_who_waits_hears_it_ring_and_nobody_listens() {
    let mut call = waiting();
    let turns = call.commands.len();
    call.caller_says(SPEECH);
    call.run_for(8000);
    let mut tone = Ringback::new(Country::default(), Law::Mu);
    let mut expected = vec![[0; 160]; 8000 / 20];
    for frame in &mut expected {
        tone.next_frame(frame);
    }
    assert_eq!(heard(&call), expected.concat());
    assert_eq!(call.commands.len(), turns, "what is said meanwhile is no turn");
}

#[test]
fn early_media_take_the_tones_place_once_there_are_any() {
    let mut call = waiting();
    let mut other = VirtualCall::new(agent(), obedient("", ""));
    other.sending = false;
    other.step();
    assert_eq!(other.call.early_media(), None, "not one packet came yet");
    other.sending = true;
    other.caller_says(SPEECH);
    call.run_for(400);
    call.packets.clear();
    for _ in 0..SPEECH.len() / 160 + 20 {
        other.step();
        if let Some(audio) = other.call.early_media() {
            call.call.hear_early(audio);
        }
        call.step();
    }
    let heard = heard(&call);
    assert!(heard.windows(SPEECH.len()).any(|window| window == SPEECH), "sample for sample");
    // They are answered, and spoken with: the caller hears it ring again.
    call.call.command(call.now, CallCommand::Ring(Country::default()));
    call.packets.clear();
    call.run_for(200);
    let sounds = call.packets.iter().flat_map(|packet| &packet[12..]).filter(|byte| **byte & 0x7F < 0x60).count();
    assert!(sounds > 1000);
}

#[test]
fn the_tone_ends_with_the_bridge_or_when_the_agent_is_back() {
    let mut call = waiting();
    call.call.command(call.now, CallCommand::StepIn { say: Some("Nobody is there.".to_owned()) });
    call.run_until("the agent", |call| {
        call.has(|kind| *kind == EventKind::PromptStarted { text: "Nobody is there.".to_owned() })
    });
    call.call.command(call.now, CallCommand::Ring(Country::default()));
    call.run_for(3000);
    call.packets.clear();
    call.run_for(400);
    assert!(heard(&call).iter().all(|byte| *byte & 0x7F == 0x7F), "an agent that is there is not drowned");

    let mut call = waiting();
    call.call.bridge(call.now, "other", WhenLeft::HangUp);
    call.packets.clear();
    call.run_for(400);
    assert!(heard(&call).iter().all(|byte| *byte & 0x7F == 0x7F));
}
