//! Calls whose speech is slow, fails, or is away for long, in virtual time: an answer or an apology soon, and the call
//! goes on. Who is asked when a provider fails is tested beside `speech::route`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_call;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use edge_protocol::{EndCause, EventKind, SpeechStage};
use engine::call::{AgentSettings, SpeechCommand, SpeechEvent};
use virtual_call::{Reaction, SPEECH, VirtualCall, agent, obedient, patient_agent, spoken, voice};

/// From the caller's last word to an answer or an apology, ms.
const SOON: u64 = 3000;

fn failed(command: &SpeechCommand, after: u64) -> Reaction {
    let (hearing, utterance, stage) = match command {
        SpeechCommand::Transcribe { hearing, .. } => (Some(*hearing), None, SpeechStage::Transcription),
        SpeechCommand::Respond { utterance, .. } => (None, Some(*utterance), SpeechStage::Chat),
        _ => return Vec::new(),
    };
    vec![(after, SpeechEvent::Failed { hearing, utterance, stage, error: "down".to_owned() })]
}

/// The caller says something; how long until they hear something, ms.
fn ask(call: &mut VirtualCall) -> u64 {
    call.caller_says(SPEECH);
    call.run_until("quiet caller", VirtualCall::caller_is_quiet);
    let (asked, heard) = (call.now, call.voice_bytes());
    call.run_until("a sound of the agent's", |call| call.voice_bytes() > heard);
    call.now.millis_since(asked)
}

fn failures(call: &VirtualCall) -> usize {
    call.events.iter().filter(|event| matches!(event.kind, EventKind::SpeechFailed { .. })).count()
}

fn apologies(call: &VirtualCall) -> usize {
    let fallback = AgentSettings::default().fallback;
    let apology = |kind: &&EventKind| matches!(kind, EventKind::PromptStarted { text } if *text == fallback);
    call.kinds().into_iter().filter(apology).count()
}

#[test]
fn stages_that_are_each_in_their_time_do_not_add_up_to_more_than_the_caller_may_wait() {
    for agent in [agent(), patient_agent()] {
        let mut call = VirtualCall::new(agent, |command: &SpeechCommand| match command {
            SpeechCommand::Transcribe { hearing, .. } => {
                vec![(900, SpeechEvent::Transcribed { hearing: *hearing, text: "hello".to_owned() })]
            }
            SpeechCommand::Respond { utterance, .. } => {
                let mut late = vec![(900, SpeechEvent::FirstToken { utterance: *utterance })];
                late.extend(spoken(2500, *utterance, "Hello, at last.", 1000, false));
                late
            }
            other => obedient("", "")(other),
        });
        let waited = ask(&mut call);
        assert!((2000..SOON).contains(&waited), "{waited} ms");
        call.run_for(5000);
        assert!(call.has(|kind| matches!(kind, EventKind::SpeechFailed { stage: SpeechStage::Synthesis, .. })));
        assert!(!call.has(|kind| matches!(kind, EventKind::AnswerStarted { .. })), "the answer came after the apology");
        assert_eq!((apologies(&call), call.hang_up), (1, None));
    }
}

#[test]
fn a_provider_that_never_reports_does_not_leave_the_caller_in_silence() {
    let mut call = VirtualCall::new(agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Transcribe { .. } => Vec::new(),
        other => obedient("", "")(other),
    });
    let waited = ask(&mut call);
    assert!(waited < SOON, "{waited} ms");
    assert!(call.has(|kind| matches!(kind, EventKind::SpeechFailed { stage: SpeechStage::Transcription, .. })));
}

#[test]
fn an_answer_that_stops_in_the_middle_is_apologised_for() {
    let mut call = VirtualCall::new(agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Respond { utterance, .. } => vec![
            (100, SpeechEvent::FirstToken { utterance: *utterance }),
            (100, SpeechEvent::Sentence { utterance: *utterance, text: "Well.".to_owned() }),
            (100, SpeechEvent::Voice { utterance: *utterance, audio: voice(0x21, 600) }),
        ],
        other => obedient("hello", "")(other),
    });
    ask(&mut call);
    call.run_for(700);
    let (paused, heard) = (call.now, call.voice_bytes());
    call.run_until("the apology", |call| call.voice_bytes() > heard);
    assert!(call.now.millis_since(paused) < SOON);
    assert_eq!(apologies(&call), 1);
}

#[test]
fn a_call_goes_on_while_its_provider_is_down_for_a_minute() {
    let down = Rc::new(Cell::new(true));
    let is_down = down.clone();
    let mut call = VirtualCall::new(agent(), move |command: &SpeechCommand| match command {
        // Now it stalls, now it refuses, now it hears and does not answer.
        SpeechCommand::Transcribe { hearing, .. } if is_down.get() => match hearing % 3 {
            0 => failed(command, 2200),
            1 => failed(command, 5),
            _ => obedient("hello", "")(command),
        },
        SpeechCommand::Respond { .. } if is_down.get() => failed(command, 1500),
        other => obedient("hello", "Hi.")(other),
    });
    let mut asked = 0;
    while call.now.millis_since(engine::clock::Moment::default()) < 61_000 {
        asked += 1;
        let waited = ask(&mut call);
        assert!(waited < SOON, "question {asked}: {waited} ms");
        call.run_for(1500);
    }
    assert_eq!((failures(&call), apologies(&call), call.hang_up), (asked, asked, None));
    assert!(asked > 5, "asked {asked} times in a minute");
    down.set(false);
    ask(&mut call);
    call.run_until("the answer", |call| call.has(|kind| matches!(kind, EventKind::TurnCompleted { .. })));
    assert_eq!(failures(&call), asked);
}

#[test]
fn a_call_of_nothing_but_failures_ends_politely_after_the_time_it_may_take() {
    let mut call = VirtualCall::new(agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Respond { .. } => failed(command, 50),
        other => obedient("hello", "")(other),
    });
    let mut first = None;
    while call.hang_up.is_none() {
        ask(&mut call);
        first.get_or_insert(call.now);
        call.run_for(2000);
    }
    assert_eq!(call.hang_up, Some(EndCause::SpeechFailed));
    let lasted = call.now.since(first.unwrap());
    assert!((Duration::from_secs(118)..Duration::from_secs(135)).contains(&lasted), "{lasted:?}");
    assert!(call.has(|kind| matches!(kind, EventKind::PromptStarted { text } if text == "Goodbye.")));
}

#[test]
fn a_noise_that_cannot_be_made_out_is_not_apologised_for_again() {
    let mut call = VirtualCall::new(agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Transcribe { .. } => failed(command, 50),
        other => obedient("", "")(other),
    });
    ask(&mut call);
    assert_eq!((failures(&call), apologies(&call)), (1, 1));
    let noise: Vec<u8> = SPEECH.iter().copied().filter(|byte| byte & 0x7F < 0x50).take(240 * 8).collect();
    for n in 2..=3 {
        call.run_for(1500);
        call.caller_says(&noise);
        call.run_until("failure", |call| failures(call) == n);
    }
    call.run_for(1500);
    assert_eq!(apologies(&call), 1);
    ask(&mut call);
    assert_eq!(apologies(&call), 2, "words are");
}

#[test]
fn the_apology_is_made_ready_while_there_is_somebody_to_speak_it() {
    let greeting = "Hello, how can I help?".to_owned();
    let mut call = VirtualCall::new(AgentSettings { greeting, ..agent() }, obedient("hello", "Hi."));
    call.run_for(100);
    let fallback = AgentSettings::default().fallback;
    let prepared =
        |command: &SpeechCommand| matches!(command, SpeechCommand::Prepare { text, .. } if *text == fallback);
    assert!(call.commands.iter().any(prepared), "{:?}", call.commands);
}
