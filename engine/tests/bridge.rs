//! Two bridged calls in virtual time: each hears the other exactly, the agents are silent, and who is left goes on.
//! How a shard carries frames from one to the other is in `shard.rs`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_call;

use edge_protocol::{EndCause, EventKind};
use engine::audio::g711::Law;
use engine::call::{AgentSettings, CallCommand, ChatMessage, MediaSession, SpeechCommand, WhenLeft};
use engine::rtp::RtpPacket;
use std::time::Duration;
use virtual_call::{SPEECH, VirtualCall, agent, obedient, session};

struct Pair {
    caller: VirtualCall,
    other: VirtualCall,
}

fn pair(agent: AgentSettings, caller: WhenLeft, other: WhenLeft) -> Pair {
    let greeting = AgentSettings { greeting: "Hello.".to_owned(), ..agent };
    let mut pair = Pair {
        caller: VirtualCall::new(greeting.clone(), obedient("hello", "Hi.")),
        other: VirtualCall::new(greeting, obedient("hello", "Hi.")),
    };
    pair.step_for(1000);
    pair.caller.call.bridge(pair.caller.now, "other", caller);
    pair.other.call.bridge(pair.other.now, "caller", other);
    pair.forget();
    pair
}

impl Pair {
    /// 20 ms of both calls; each hears the other's frame one tick later at most.
    fn step(&mut self) {
        self.caller.step();
        if let Some(crossing) = self.caller.call.take_crossing() {
            self.other.call.hear_peer(crossing);
        }
        self.other.step();
        if let Some(crossing) = self.other.call.take_crossing() {
            self.caller.call.hear_peer(crossing);
        }
    }

    fn step_for(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            self.step();
        }
    }

    fn forget(&mut self) {
        for call in [&mut self.caller, &mut self.other] {
            call.run_for(0);
            call.packets.clear();
            call.commands.clear();
        }
    }
}

fn decoded(law: Law, bytes: &[u8]) -> Vec<i16> {
    bytes.iter().map(|byte| law.decode(*byte)).collect()
}

/// All that was sent to a call's other side.
fn sent(call: &VirtualCall, law: Law) -> Vec<i16> {
    call.packets.iter().flat_map(|packet| decoded(law, RtpPacket::parse(packet).unwrap().payload)).collect()
}

/// Where `wanted` begins in `all`, sample for sample.
fn found(all: &[i16], wanted: &[i16]) -> Option<usize> {
    all.windows(wanted.len()).position(|window| window == wanted)
}

#[test]
fn what_one_side_says_is_what_the_other_hears_sample_for_sample() {
    let mut pair = pair(agent(), WhenLeft::HangUp, WhenLeft::HangUp);
    pair.caller.caller_says(SPEECH);
    pair.step_for(SPEECH.len() as u64 / 8 + 400);
    let spoken = decoded(Law::Mu, SPEECH);
    assert!(found(&sent(&pair.other, Law::Mu), &spoken).is_some());
    pair.forget();
    pair.other.caller_says(SPEECH);
    pair.step_for(SPEECH.len() as u64 / 8 + 400);
    assert!(found(&sent(&pair.caller, Law::Mu), &spoken).is_some());
    assert!(found(&sent(&pair.other, Law::Mu), &spoken).is_none(), "nobody hears themselves");
}

#[test]
fn audio_is_put_into_the_other_legs_law_once() {
    let mut pair = pair(agent(), WhenLeft::HangUp, WhenLeft::HangUp);
    let a_law = MediaSession { codec: Law::A.into(), payload_type: 8, ..session() };
    pair.other.call.change_media(pair.other.now, a_law);
    pair.step_for(200);
    pair.forget();
    pair.caller.caller_says(SPEECH);
    pair.step_for(SPEECH.len() as u64 / 8 + 400);
    let spoken: Vec<u8> = SPEECH.iter().map(|byte| Law::A.encode(Law::Mu.decode(*byte))).collect();
    assert!(found(&sent(&pair.other, Law::A), &decoded(Law::A, &spoken)).is_some());
}

#[test]
fn a_frame_crosses_within_one_tick() {
    let mut pair = pair(agent(), WhenLeft::HangUp, WhenLeft::HangUp);
    let said = [0x10_u8; 160];
    pair.step_for(400);
    pair.forget();
    pair.caller.caller_says(&said);
    let at = |call: &VirtualCall| call.packets.iter().position(|packet| packet[12..] == said);
    let mut ticks = 0;
    while at(&pair.other).is_none() {
        pair.step();
        ticks += 1;
        assert!(ticks < 50, "the frame never came");
    }
    // What it waited in the jitter buffer is not the bridge's: the same frame is in the caller's own last frame.
    assert_eq!(pair.caller.call.last_frames().0, &said);
}

#[test]
fn the_agents_of_bridged_calls_say_nothing_and_hear_nothing() {
    let mut pair = pair(agent(), WhenLeft::HangUp, WhenLeft::HangUp);
    pair.caller.caller_says(SPEECH);
    pair.step_for(30_000);
    assert_eq!(pair.caller.commands, []);
    assert_eq!(pair.other.commands, []);
    assert_eq!(pair.caller.hang_up, None, "silence between two people is their own business");
}

#[test]
fn keys_are_told_and_handed_over_and_are_no_turn() {
    let mut pair = pair(agent(), WhenLeft::HangUp, WhenLeft::HangUp);
    pair.caller.caller_presses(5);
    pair.caller.step();
    let crossing = pair.caller.call.take_crossing().unwrap();
    assert_eq!(crossing.key, Some('5'));
    pair.other.call.hear_peer(crossing);
    pair.forget();
    pair.step_for(3000);
    let events = pair.other.packets.iter().filter(|packet| RtpPacket::parse(packet).unwrap().payload_type == 101);
    assert!(events.clone().count() >= 3, "the other side is sent the key too");
    assert!(events.into_iter().all(|packet| packet[12] == 5));
    assert!(pair.caller.has(|kind| matches!(kind, EventKind::Dtmf { digit: '5', .. })));
    assert!(!pair.caller.has(|kind| matches!(kind, EventKind::TurnTranscribed { .. })));
}

#[test]
fn who_is_left_ends_if_told_so() {
    let mut pair = pair(agent(), WhenLeft::Agent, WhenLeft::HangUp);
    pair.other.call.peer_left(pair.other.now);
    pair.other.step();
    assert_eq!(pair.other.hang_up, Some(EndCause::PeerHungUp));
    assert!(pair.other.has(|kind| *kind == EventKind::Unbridged { with: "caller".to_owned() }));
}

#[test]
fn who_is_left_gets_the_agent_back_with_what_it_knew() {
    let mut pair = pair(agent(), WhenLeft::Agent, WhenLeft::HangUp);
    pair.step_for(1000);
    pair.caller.call.command(pair.caller.now, CallCommand::Instruct("The sale is on.".to_owned()));
    pair.caller.call.peer_left(pair.caller.now);
    pair.caller.caller_says(SPEECH);
    pair.caller.run_until("answer", |call| call.has(|kind| matches!(kind, EventKind::TurnCompleted { .. })));
    let asked = pair.caller.commands.iter().find_map(|command| match command {
        SpeechCommand::Respond { messages, .. } => Some(messages),
        _ => None,
    });
    let asked = asked.unwrap();
    assert!(matches!(&asked[0], ChatMessage::System(text) if text.ends_with("The sale is on.")), "{asked:?}");
    assert_eq!(asked[1], ChatMessage::assistant("Hello."), "what the caller heard before the bridge is not forgotten");
}

#[test]
fn a_bridged_call_outlives_its_agents_longest_call_and_the_agent_has_what_was_left_of_it() {
    let short = AgentSettings { max_call: Duration::from_secs(5), silence_prompts: vec![], ..agent() };
    let mut pair = pair(short, WhenLeft::Agent, WhenLeft::HangUp);
    pair.step_for(3_600_000);
    assert_eq!((pair.caller.hang_up, pair.other.hang_up), (None, None));
    pair.caller.call.peer_left(pair.caller.now);
    // The first second was before the bridge.
    pair.caller.run_for(3500);
    assert_eq!(pair.caller.hang_up, None);
    let goodbye = EventKind::PromptStarted { text: AgentSettings::default().goodbye };
    assert!(!pair.caller.has(|kind| *kind == goodbye));
    pair.caller.run_for(2000);
    assert!(pair.caller.has(|kind| *kind == goodbye));
    assert_eq!(pair.caller.hang_up, Some(EndCause::MaxDuration));
}

#[test]
fn what_is_paid_for_ends_bridged_calls_too() {
    let paid = AgentSettings { paid_for: Some(Duration::from_secs(5)), ..agent() };
    let mut pair = pair(paid, WhenLeft::HangUp, WhenLeft::HangUp);
    pair.step_for(3800);
    assert_eq!(pair.caller.hang_up, None);
    pair.step_for(400);
    assert_eq!(pair.caller.hang_up, Some(EndCause::MaxDuration));
}

#[test]
fn the_agent_says_what_it_is_told_and_when_it_is_over() {
    let mut call = VirtualCall::new(agent(), obedient("hello", "Hi."));
    call.call.command(call.now, CallCommand::Say("Your taxi is here.".to_owned()));
    call.run_until("the sentence", |call| call.orders_said == 1);
    assert!(call.has(|kind| *kind == EventKind::PromptStarted { text: "Your taxi is here.".to_owned() }));
}

#[test]
fn an_agent_that_stepped_aside_is_silent_until_it_steps_in_again() {
    let mut call = VirtualCall::new(agent(), obedient("hello", "Hi."));
    call.call.command(call.now, CallCommand::StepAside);
    call.run_for(20_000);
    let prepares =
        |command: &SpeechCommand| matches!(command, SpeechCommand::WarmUp { .. } | SpeechCommand::Prepare { .. });
    assert!(call.commands.iter().all(prepares), "{:?}", call.commands);
    call.call.command(call.now, CallCommand::StepIn { say: Some("I am back.".to_owned()) });
    call.run_until("the sentence", |call| {
        call.has(|kind| *kind == EventKind::PromptStarted { text: "I am back.".to_owned() })
    });
}
