//! A call whose media are frames, in virtual time: greeted, answered, cut in, told in the right order, ended.
//! How frames come and go on a WebSocket is tested with the node.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_call;

use edge_protocol::{EndCause, EventKind};
use engine::audio::dtmf::Digit;
use engine::call::{AgentSettings, Cue, SpeechCommand, SpeechEvent};
use virtual_call::{SPEECH, Sent, VirtualCall, agent, obedient, patient_agent, spoken, voice};

fn greeting() -> AgentSettings {
    AgentSettings { greeting: "Hello.".to_owned(), ..agent() }
}

fn frames(call: &VirtualCall) -> usize {
    call.sent.iter().filter(|(_, sent)| matches!(sent, Sent::Frame(_))).count()
}

#[test]
fn the_greeting_is_named_before_its_first_frame_and_the_silence_after_it_is_not_sent() {
    let mut call = VirtualCall::over_frames(greeting(), obedient("", ""));
    call.run_for(5000);
    assert_eq!(call.sent[0].1, Sent::Cue(Cue::AgentSays("Hello.".to_owned())));
    // Half a second of voice, and less than 200 ms of silence.
    assert!((25..=35).contains(&frames(&call)), "{} frames", frames(&call));
    assert!(call.packets.is_empty(), "there is nobody to send packets to");
}

#[test]
fn a_turn_is_told_in_the_order_the_caller_lives_it() {
    let mut call = VirtualCall::over_frames(agent(), obedient("what time is it", "Noon."));
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::TurnCompleted { .. })));
    let expected = [Cue::Thinking, Cue::CallerSaid("what time is it".to_owned()), Cue::AgentSays("Noon.".to_owned())];
    assert_eq!(call.cues(), expected.iter().collect::<Vec<_>>());
    let EventKind::CallStarted { codec, .. } = call.kinds()[0] else { panic!("{:?}", call.kinds()) };
    assert_eq!(codec, "PCMU");
}

#[test]
fn every_sentence_is_named_when_it_begins_to_be_heard_and_pauses_between_them_are_sent() {
    let mut call = VirtualCall::over_frames(patient_agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Respond { utterance, .. } => {
            let utterance = *utterance;
            let sentence = |text: &str| SpeechEvent::Sentence { utterance, text: text.to_owned() };
            let voice = |ms| SpeechEvent::Voice { utterance, audio: voice(0x21, ms) };
            vec![
                (100, sentence("One.")),
                (100, voice(400)),
                // The second sentence is late: half a second of silence in the middle of the answer.
                (1000, sentence("Two.")),
                (1000, voice(400)),
                (1000, SpeechEvent::Said { utterance }),
            ]
        }
        other => obedient("hello", "")(other),
    });
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::TurnCompleted { .. })));
    let says = |text: &str| {
        let cue = Sent::Cue(Cue::AgentSays(text.to_owned()));
        call.sent.iter().position(|(_, sent)| *sent == cue).unwrap()
    };
    let between = &call.sent[says("One.")..says("Two.")];
    let ms = call.sent[says("Two.")].0.millis_since(call.sent[says("One.")].0);
    assert!(ms >= 900, "{ms}");
    assert_eq!(between.len() as u64 - 1, ms / 20, "a frame for every 20 ms between the first words of both");
}

#[test]
fn a_caller_who_cuts_in_has_the_rest_flushed() {
    let mut call = VirtualCall::over_frames(agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Respond { utterance, .. } => spoken(100, *utterance, "A long story.", 10_000, false),
        other => obedient("hello", "")(other),
    });
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::AnswerStarted { .. })));
    call.run_for(1000);
    call.caller_says(SPEECH);
    call.run_until("barge-in", |c| c.has(|k| matches!(k, EventKind::BargeIn { .. })));
    let flush = call.sent.iter().position(|(_, sent)| *sent == Sent::Cue(Cue::Flush)).unwrap();
    call.run_for(200);
    let voiced = |(_, sent): &&(_, Sent)| matches!(sent, Sent::Frame(frame) if frame.iter().all(|&b| b == 0x21));
    assert_eq!(call.sent[flush..].iter().filter(voiced).count(), 0, "the voice stops at the flush");
}

/// The agent tells a long story to a client that plays what it is sent so much later, for 2 s.
fn story(plays_after_ms: Option<u64>) -> VirtualCall {
    let mut call = VirtualCall::over_frames(agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Respond { utterance, .. } => {
            spoken(100, *utterance, "One two three four five six seven eight nine ten.", 5000, true)
        }
        other => obedient("hello", "")(other),
    });
    call.plays_after_ms = plays_after_ms;
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::AnswerStarted { .. })));
    call.run_for(2000);
    call
}

#[test]
fn what_a_client_has_not_played_was_not_heard() {
    for (plays_after_ms, heard) in [(None, 2020), (Some(20), 2000), (Some(400), 1620), (Some(1000), 1020)] {
        let mut call = story(plays_after_ms);
        call.call.handle_key(call.now, Digit { char: '7', duration_ms: 100 });
        call.run_for(20);
        let heard_ms = |kind: &&EventKind| match kind {
            EventKind::BargeIn { heard_ms } => Some(*heard_ms),
            _ => None,
        };
        let told = call.kinds().iter().find_map(heard_ms).expect("a barge-in");
        assert!(told.abs_diff(heard) <= 20, "{told} ms of {heard}, played after {plays_after_ms:?}");
        let turn = |k: &&EventKind| matches!(k, EventKind::TurnCompleted { .. });
        let EventKind::TurnCompleted { heard_ms, heard_text, .. } = call.kinds().into_iter().find(turn).unwrap() else {
            unreachable!()
        };
        assert_eq!(*heard_ms, told);
        let words = heard_text.split_whitespace().count() as u64;
        assert!(words.abs_diff(told / 500) <= 1, "{heard_text} in {told} ms");
    }
}

#[test]
fn the_last_word_is_played_before_the_call_ends() {
    let [at_once, later] = [None, Some(600)].map(|plays_after_ms| {
        let mut call = story(plays_after_ms);
        call.run_until("hang-up", |c| c.hang_up.is_some());
        call.now
    });
    assert_eq!(later.millis_since(at_once), 600);
}

#[test]
fn a_key_is_a_key_press() {
    let mut call = VirtualCall::over_frames(agent(), obedient("", "You pressed seven."));
    call.call.handle_key(call.now, Digit { char: '7', duration_ms: 100 });
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::AnswerStarted { .. })));
    assert!(call.has(|k| matches!(k, EventKind::Dtmf { digit: '7', .. })));
    assert!(call.cues().contains(&&Cue::CallerSaid("[pressed 7]".to_owned())));
}

#[test]
fn a_caller_who_sends_nothing_is_gone_after_the_timeout() {
    let quiet = AgentSettings { silence_after: std::time::Duration::from_secs(3600), ..agent() };
    let mut call = VirtualCall::over_frames(quiet, obedient("", ""));
    call.sending = false;
    call.run_until("end", |c| c.hang_up.is_some());
    assert_eq!(call.hang_up, Some(EndCause::RtpTimeout));
    call.end(EndCause::RtpTimeout);
    assert!(call.has(|k| matches!(k, EventKind::CallEnded { cause: EndCause::RtpTimeout, .. })));
}

#[test]
fn a_call_over_rtp_keeps_no_cues() {
    let mut call = VirtualCall::new(greeting(), obedient("", ""));
    call.run_for(3000);
    assert_eq!(call.sent, []);
}
