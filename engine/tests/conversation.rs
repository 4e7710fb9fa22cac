//! Whole conversations in virtual time: who speaks when, what is asked of speech, what becomes a fact.
//! Media details are in `media.rs`; real sockets and providers are in the end-to-end tests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_call;

use std::time::Duration;

use edge_protocol::{EndCause, EventKind, SpeechStage, UsageStage};
use engine::call::{AgentSettings, ChatMessage, Interruptible, Pipeline, Reply, SpeechCommand, SpeechEvent, UNCLEAR};
use virtual_call::{MINUTE_MICROCREDITS, Reaction, SPEECH, VirtualCall, agent, obedient, patient_agent, spoken};

fn greeted() -> AgentSettings {
    AgentSettings { greeting: "Hello, how can I help?".to_owned(), ..agent() }
}

/// One question and its answer, to the end of the answer.
fn ask(call: &mut VirtualCall) {
    let before = completed(call);
    call.caller_says(SPEECH);
    call.run_until("answer", |c| completed(c) > before);
}

fn completed(call: &VirtualCall) -> usize {
    call.events.iter().filter(|e| matches!(e.kind, EventKind::TurnCompleted { .. })).count()
}

fn last_request(call: &VirtualCall) -> Vec<ChatMessage> {
    let messages = call.commands.iter().rev().find_map(|c| match c {
        SpeechCommand::Respond { messages, .. } => Some(messages.clone()),
        _ => None,
    });
    messages.unwrap()
}

#[test]
fn a_whole_conversation_gives_the_same_events_and_bytes_on_every_run() {
    let run = || {
        let mut call = VirtualCall::new(greeted(), obedient("when are you open", "From nine to five."));
        call.run_for(1500);
        for _ in 0..3 {
            ask(&mut call);
            call.run_for(400);
        }
        call.caller_presses(5);
        call.run_for(4000);
        call.end(EndCause::CallerHungUp);
        (call.events, call.packets)
    };
    let (events, packets) = run();
    assert_eq!((events.clone(), packets.clone()), run());

    let seqs: Vec<u64> = events.iter().map(|e| e.seq).collect();
    assert_eq!(seqs, (0..events.len() as u64).collect::<Vec<_>>());
    assert!(events.windows(2).all(|w| w[0].at_ms <= w[1].at_ms));
    assert!(matches!(events.first().unwrap().kind, EventKind::CallStarted { .. }));
    assert!(matches!(events.last().unwrap().kind, EventKind::CallEnded { turns: 4, .. }));
}

#[test]
fn the_greeting_is_heard_and_stands_in_the_history() {
    let mut call = VirtualCall::new(greeted(), obedient("hello", "Hi."));
    call.run_for(1500);
    assert!(call.has(|k| matches!(k, EventKind::PromptStarted { text } if text == "Hello, how can I help?")));
    ask(&mut call);
    let request = last_request(&call);
    assert!(matches!(request[0], ChatMessage::System(_)));
    assert_eq!(request[1], ChatMessage::assistant("Hello, how can I help?"));
    assert_eq!(request[2], ChatMessage::User("hello".to_owned()));
}

#[test]
fn every_stage_of_a_turn_is_accounted_for() {
    let mut call = VirtualCall::new(patient_agent(), obedient("hello", "Hi."));
    call.run_for(200);
    ask(&mut call);
    let latency = call
        .events
        .iter()
        .find_map(|e| match &e.kind {
            EventKind::TurnCompleted { latency, .. } => Some(*latency),
            _ => None,
        })
        .unwrap();
    assert!((580..=640).contains(&latency.endpointing_ms), "{latency:?}");
    assert_eq!(latency.transcription_ms, 100);
    assert_eq!(latency.first_token_ms, 200);
    assert!(latency.playout_ms <= 20);
    let sum = latency.endpointing_ms
        + latency.transcription_ms
        + latency.first_token_ms
        + latency.first_audio_ms
        + latency.playout_ms;
    assert_eq!(latency.caller_heard_ms, sum);
}

#[test]
fn a_caller_who_speaks_over_the_agent_is_listened_to_and_the_history_keeps_what_was_heard() {
    let long = |command: &SpeechCommand| -> Reaction {
        match command {
            SpeechCommand::Respond { utterance, .. } => {
                let mut said = spoken(100, *utterance, "First sentence here.", 1000, false);
                said.pop();
                let mut second = spoken(100, *utterance, "Second one is rather long and is cut.", 8000, false);
                said.append(&mut second);
                said
            }
            other => obedient("tell me all", "unused")(other),
        }
    };
    let mut call = VirtualCall::new(patient_agent(), long);
    call.run_for(200);
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::AnswerStarted { .. })));
    call.run_until("quiet caller", VirtualCall::caller_is_quiet);
    call.run_for(3000);
    call.caller_says(SPEECH);
    call.run_until("barge-in", |c| c.has(|k| matches!(k, EventKind::BargeIn { .. })));
    let at_barge_in = call.voice_bytes();
    call.run_for(400);
    assert!(call.voice_bytes() <= at_barge_in + 160, "the agent goes on after a barge-in");
    let (heard, text, ms) = call
        .events
        .iter()
        .find_map(|e| match &e.kind {
            EventKind::TurnCompleted { heard_text, agent_text, heard_ms, interrupted: true, .. } => {
                Some((heard_text.clone(), agent_text.clone(), *heard_ms))
            }
            _ => None,
        })
        .unwrap();
    assert!(heard.starts_with("First sentence here. Second"), "{heard}");
    assert!(text.len() > heard.len() && ms > 3000, "{heard} of {text}, {ms} ms");
    call.run_until("second request", |c| {
        c.commands.iter().filter(|c| matches!(c, SpeechCommand::Respond { .. })).count() == 2
    });
    assert!(last_request(&call).contains(&ChatMessage::assistant(heard)));
}

#[test]
fn a_caller_who_goes_on_before_the_answer_has_said_one_turn() {
    let mut call = VirtualCall::new(patient_agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Transcribe { hearing, .. } => {
            vec![(2000, SpeechEvent::Transcribed { hearing: *hearing, text: "x".to_owned() })]
        }
        SpeechCommand::Respond { utterance, .. } => spoken(100, *utterance, "Yes.", 500, false),
        _ => Vec::new(),
    });
    call.run_for(200);
    let transcriptions = |c: &VirtualCall| -> Vec<usize> {
        let audio = c.commands.iter().filter_map(|c| match c {
            SpeechCommand::Transcribe { audio, .. } => Some(audio.len()),
            _ => None,
        });
        audio.collect()
    };
    call.caller_says(SPEECH);
    call.run_until("first transcription", |c| transcriptions(c).len() == 1);
    call.caller_says(SPEECH);
    call.run_until("second transcription", |c| transcriptions(c).len() == 2);
    let lengths = transcriptions(&call);
    assert!(lengths[1] > lengths[0] + SPEECH.len() * 8 / 10, "{lengths:?}");
    call.run_until("answer", |c| completed(c) == 1);
    assert_eq!(call.events.iter().filter(|e| matches!(e.kind, EventKind::TurnTranscribed { .. })).count(), 1);
}

#[test]
fn a_caller_who_goes_on_for_ever_does_not_fill_the_memory() {
    let mut call = VirtualCall::new(agent(), |_: &SpeechCommand| Vec::new());
    for _ in 0..60 {
        call.caller_says(SPEECH);
        call.run_until("quiet caller", VirtualCall::caller_is_quiet);
        call.run_for(800);
    }
    let longest = call.commands.iter().filter_map(|c| match c {
        SpeechCommand::Transcribe { audio, .. } => Some(audio.len()),
        _ => None,
    });
    assert!(longest.max().unwrap() <= (20 + 30) * 8000);
}

#[test]
fn a_silent_caller_is_prompted_and_then_the_call_ends_politely() {
    let mut call = VirtualCall::new(agent(), obedient("", ""));
    call.run_until("hang-up", |c| c.hang_up.is_some());
    assert_eq!(call.hang_up, Some(EndCause::CallerSilent));
    let prompts: Vec<_> = call
        .kinds()
        .into_iter()
        .filter_map(|k| match k {
            EventKind::PromptStarted { text } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(prompts, ["Are you there?", "Goodbye."]);
}

#[test]
fn the_longest_call_ends_with_a_goodbye_that_is_heard_out() {
    let settings = AgentSettings { max_call: Duration::from_secs(5), ..agent() };
    let mut call = VirtualCall::new(settings, obedient("hello", "Hi."));
    call.run_until("goodbye", |c| c.has(|k| matches!(k, EventKind::PromptStarted { text } if text == "Goodbye.")));
    call.caller_says(SPEECH);
    call.run_until("hang-up", |c| c.hang_up.is_some());
    assert_eq!(call.hang_up, Some(EndCause::MaxDuration));
    assert_eq!(call.voice_bytes(), 4000, "the goodbye was cut");
}

#[test]
fn a_goodbye_of_the_model_is_heard_to_the_end_before_the_call_ends() {
    let mut call = VirtualCall::new(agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Respond { utterance, .. } => spoken(100, *utterance, "Bye then.", 700, true),
        other => obedient("goodbye", "")(other),
    });
    call.caller_says(SPEECH);
    call.run_until("hang-up", |c| c.hang_up.is_some());
    assert_eq!(call.hang_up, Some(EndCause::AgentHungUp));
    assert_eq!(call.voice_bytes(), 5600);
}

#[test]
fn speech_without_words_is_asked_again() {
    let mut call = VirtualCall::new(agent(), obedient("", "Could you say that again?"));
    ask(&mut call);
    assert_eq!(last_request(&call).pop().unwrap(), ChatMessage::User(UNCLEAR.to_owned()));
}

#[test]
fn the_end_of_a_call_tells_what_its_line_cost() {
    let mut call = VirtualCall::new(greeted(), obedient("hello", "Hi."));
    call.run_for(30_000);
    call.end(EndCause::CallerHungUp);
    let usage = call.events.iter().find_map(|event| match &event.kind {
        EventKind::CallEnded { usage, .. } => usage.iter().find(|used| used.stage == UsageStage::Telephony),
        _ => None,
    });
    let used = usage.unwrap();
    assert_eq!((used.audio_ms, used.cost_microcredits), (30_000, MINUTE_MICROCREDITS as i64 / 2));
}

#[test]
fn a_foreseen_question_is_answered_without_a_model() {
    let hours = Reply::new(&["* open".to_owned()], "From nine to five.".to_owned()).unwrap();
    let settings = AgentSettings { replies: vec![hours], ..agent() };
    let mut call = VirtualCall::new(settings, obedient("When are you open?", "I do not know."));
    ask(&mut call);
    let answered = |kind: &EventKind| matches!(kind, EventKind::TurnCompleted { heard_text, .. } if heard_text == "From nine to five.");
    assert!(call.has(answered), "{:#?}", call.kinds());
    assert!(!call.commands.iter().any(|command| matches!(command, SpeechCommand::Respond { .. })));
    assert!(!call.has(|kind| matches!(kind, EventKind::PromptStarted { .. })), "it is an answer");
}

#[test]
fn keys_are_a_turn_of_their_own() {
    let mut call = VirtualCall::new(greeted(), obedient("", "You pressed keys."));
    call.run_for(100);
    for key in [1, 2, 11] {
        call.caller_presses(key);
        call.run_for(100);
    }
    call.run_until("answer", |c| completed(c) == 1);
    assert_eq!(last_request(&call).pop().unwrap(), ChatMessage::User("[pressed 12#]".to_owned()));
    assert_eq!(call.events.iter().filter(|e| matches!(e.kind, EventKind::Dtmf { .. })).count(), 3);
}

#[test]
fn keys_and_then_speech_are_answered_once() {
    let mut call = VirtualCall::new(agent(), obedient("hello", "Hi."));
    call.run_for(100);
    call.caller_presses(1);
    call.run_for(100);
    ask(&mut call);
    call.run_for(2000);
    assert_eq!(completed(&call), 1);
    let request = last_request(&call);
    assert_eq!(request[1], ChatMessage::User("[pressed 1]".to_owned()));
    assert_eq!(request[2], ChatMessage::User("hello".to_owned()));
}

#[test]
fn a_voice_that_never_pauses_is_one_turn_and_is_answered() {
    let mut call = VirtualCall::new(patient_agent(), obedient("la la la", "Nice song."));
    // Only what is loud: the fixture without its pauses, for a minute.
    let song: Vec<u8> = SPEECH.iter().copied().filter(|b| b & 0x7F < 0x50).collect();
    for _ in 0..60 * 8000 / song.len() {
        call.caller_says(&song);
    }
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::AnswerStarted { .. })));
    let asked = call.commands.iter().filter(|c| matches!(c, SpeechCommand::Transcribe { .. })).count();
    assert_eq!(asked, 1);
}

#[test]
fn an_answer_that_is_lost_on_its_way_does_not_leave_the_caller_in_silence() {
    let mut call = VirtualCall::new(agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Respond { utterance, .. } => {
            let mut said = spoken(100, *utterance, "Half of it.", 500, false);
            said.pop();
            said
        }
        other => obedient("hello", "")(other),
    });
    call.caller_says(SPEECH);
    call.run_until("failure", |c| {
        c.has(|k| matches!(k, EventKind::SpeechFailed { stage: SpeechStage::Synthesis, .. }))
    });
    call.run_until("fallback", |c| c.has(|k| matches!(k, EventKind::PromptStarted { .. })));
}

#[test]
fn a_noise_at_pick_up_does_not_cost_the_caller_the_greeting() {
    let mut call = VirtualCall::new(greeted(), |command: &SpeechCommand| match command {
        SpeechCommand::Say { utterance, text, .. } => spoken(1000, *utterance, text, 500, false),
        other => obedient("", "")(other),
    });
    let start = SPEECH.iter().position(|b| b & 0x7F < 0x40).unwrap();
    call.caller_says(&SPEECH[start..start + 1600]);
    call.run_until("greeting", |c| c.has(|k| matches!(k, EventKind::PromptStarted { .. })));
    call.run_for(2000);
    let greetings = call.kinds().into_iter().filter(|k| matches!(k, EventKind::PromptStarted { .. })).count();
    assert_eq!(greetings, 1);
}

#[test]
fn what_was_heard_of_a_sentence_that_is_still_coming_is_not_overstated() {
    let mut call = VirtualCall::new(agent(), |command: &SpeechCommand| match command {
        SpeechCommand::Respond { utterance, .. } => {
            let text = "This sentence takes about five seconds to be said, and one second of it has come so far.";
            let mut said = spoken(100, *utterance, text, 1000, false);
            said.pop();
            said
        }
        other => obedient("hello", "")(other),
    });
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::AnswerStarted { .. })));
    call.run_for(1200);
    call.end(EndCause::CallerHungUp);
    let heard = call.events.iter().find_map(|e| match &e.kind {
        EventKind::TurnCompleted { heard_text, .. } => Some(heard_text.clone()),
        _ => None,
    });
    assert_eq!(heard.unwrap(), "This sentence");
}

#[test]
fn nothing_said_to_a_turn_that_is_over_is_played() {
    let mut call = VirtualCall::new(agent(), obedient("hello", "Hi."));
    ask(&mut call);
    let before = call.voice_bytes();
    for event in spoken(0, 1, "Stale.", 1000, true) {
        let now = call.now;
        call.call.handle_speech(now, event.1);
    }
    call.run_for(1000);
    assert_eq!(call.voice_bytes(), before);
    assert_eq!(call.hang_up, None);
}

fn long_answer(command: &SpeechCommand) -> Reaction {
    match command {
        SpeechCommand::Respond { utterance, .. } => {
            spoken(100, *utterance, "A long story of many words.", 20_000, false)
        }
        other => obedient("tell me all", "unused")(other),
    }
}

/// A loud part of the fixture, `ms` long.
fn word(ms: usize) -> Vec<u8> {
    let loud: Vec<u8> = SPEECH.iter().copied().filter(|b| b & 0x7F < 0x50).collect();
    loud[..ms * 8].to_vec()
}

/// The fixture from its first loud sample to its last.
fn sentence() -> &'static [u8] {
    let loud = |b: &u8| b & 0x7F < 0x50;
    let (first, last) = (SPEECH.iter().position(loud).unwrap(), SPEECH.iter().rposition(loud).unwrap());
    &SPEECH[first..last]
}

#[test]
fn what_was_prepared_for_a_caller_who_goes_on_is_never_heard_and_stands_nowhere() {
    let mut call = VirtualCall::new(agent(), obedient("one", "Never mind."));
    call.run_for(200);
    for _ in 0..2 {
        call.caller_says(sentence());
        call.run_until("quiet caller", VirtualCall::caller_is_quiet);
        call.run_for(440);
    }
    let asked = |c: &VirtualCall| c.commands.iter().filter(|c| matches!(c, SpeechCommand::Respond { .. })).count();
    assert!(asked(&call) >= 2, "nothing was done ahead");
    assert_eq!(call.voice_bytes(), 0);
    assert!(!call.has(|k| matches!(k, EventKind::TurnTranscribed { .. })));
    call.run_until("answer", |c| completed(c) == 1);
    let request = last_request(&call);
    assert_eq!(request[1..], [ChatMessage::User("one".to_owned())]);
    call.end(EndCause::CallerHungUp);
    let wasted = |k: &EventKind| matches!(k, EventKind::CallEnded { wasted_requests: 2.., turns: 1, .. });
    assert!(call.has(wasted), "{:?}", call.events.last());
}

#[test]
fn an_answer_prepared_in_the_pause_is_heard_at_its_end() {
    let mut call = VirtualCall::new(agent(), obedient("what is the time now", "Noon."));
    call.run_for(200);
    call.caller_says(&word(900));
    call.run_until("answer", |c| completed(c) == 1);
    let latency = call.events.iter().find_map(|e| match &e.kind {
        EventKind::TurnCompleted { latency, .. } => Some(*latency),
        _ => None,
    });
    let latency = latency.unwrap();
    assert_eq!(latency.caller_heard_ms, latency.endpointing_ms + latency.playout_ms);
    assert_eq!(call.commands.iter().filter(|c| matches!(c, SpeechCommand::Transcribe { .. })).count(), 1);
}

#[test]
fn a_failure_ahead_of_the_turns_end_is_tried_again_and_not_told() {
    let mut failures = 0;
    let mut call = VirtualCall::new(agent(), move |command: &SpeechCommand| match command {
        SpeechCommand::Transcribe { hearing, .. } if failures == 0 => {
            failures += 1;
            let (stage, error) = (SpeechStage::Transcription, "500".to_owned());
            vec![(50, SpeechEvent::Failed { hearing: Some(*hearing), utterance: None, stage, error })]
        }
        other => obedient("hello", "Hi.")(other),
    });
    call.run_for(200);
    ask(&mut call);
    assert!(!call.has(|k| matches!(k, EventKind::SpeechFailed { .. })));
}

#[test]
fn a_word_in_passing_holds_the_agent_and_it_goes_on_where_it_was() {
    let mut call = VirtualCall::new(agent(), long_answer);
    call.run_for(200);
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::AnswerStarted { .. })));
    call.run_until("quiet caller", VirtualCall::caller_is_quiet);
    call.run_for(2000);
    call.caller_says(&word(240));
    let before = call.voice_bytes();
    call.run_for(1000);
    let said = call.voice_bytes() - before;
    assert!((3000..7000).contains(&said), "{said} bytes in a second: it was not held, or did not go on");
    assert!(!call.has(|k| matches!(k, EventKind::BargeIn { .. })));
    call.run_until("the end of the story", |c| completed(c) == 1);
    let whole = |k: &EventKind| matches!(k, EventKind::TurnCompleted { heard_text, agent_text, interrupted: false, .. } if heard_text == agent_text);
    assert!(call.has(whole), "{:?}", call.events.last());
}

#[test]
fn a_greeting_that_is_to_be_heard_out_is_heard_out_and_keys_wait_for_its_end() {
    let settings = AgentSettings { interruptible: Interruptible::AfterGreeting, ..greeted() };
    let mut call = VirtualCall::new(settings, |command: &SpeechCommand| match command {
        SpeechCommand::Say { utterance, text, .. } => spoken(50, *utterance, text, 3000, false),
        other => obedient("hello", "Hi.")(other),
    });
    call.run_for(500);
    call.caller_says(&word(1000));
    call.caller_presses(1);
    call.caller_presses(11);
    call.run_for(2700);
    assert_eq!(call.voice_bytes(), 3000 * 8);
    call.run_until("answer to the keys", |c| completed(c) == 1);
    assert_eq!(last_request(&call).pop().unwrap(), ChatMessage::User("[pressed 1#]".to_owned()));
}

#[test]
fn a_model_that_hears_for_itself_gets_the_conversation_with_the_sound_and_is_told_what_was_heard() {
    let settings = AgentSettings { pipeline: Pipeline::SpeechToSpeech, ..greeted() };
    let mut call = VirtualCall::new(settings, obedient("when are you open", "From nine to five."));
    assert_eq!(call.commands[0], SpeechCommand::WarmUp { pipeline: Pipeline::SpeechToSpeech, provider: None });
    call.run_for(1500);
    ask(&mut call);
    let so_far = call.commands.iter().find_map(|command| match command {
        SpeechCommand::Transcribe { so_far, .. } => so_far.clone(),
        _ => None,
    });
    let lines = so_far.unwrap().messages;
    assert!(matches!(&lines[0], ChatMessage::System(text) if text.contains("Be brief.")));
    assert_eq!(lines[1..], [ChatMessage::assistant("Hello, how can I help?")]);
    let heard: Vec<_> = call.commands.iter().filter(|c| matches!(c, SpeechCommand::Heard { .. })).collect();
    let text = |text: &str| text.to_owned();
    let greeting = SpeechCommand::Heard { utterance: 1, ms: 500, text: text("Hello, how can I help?") };
    let answer = call.commands.iter().rev().find_map(|command| match command {
        SpeechCommand::Respond { utterance, .. } => Some(*utterance),
        _ => None,
    });
    let answer = SpeechCommand::Heard { utterance: answer.unwrap(), ms: 1000, text: text("From nine to five.") };
    assert_eq!(heard, [&greeting, &answer]);
    call.end(EndCause::CallerHungUp);
    assert_eq!(call.commands.last(), Some(&SpeechCommand::Over));
}

#[test]
fn the_stages_are_told_nothing_they_do_not_need() {
    let mut call = VirtualCall::new(greeted(), obedient("when are you open", "From nine to five."));
    call.run_for(1500);
    ask(&mut call);
    call.end(EndCause::CallerHungUp);
    let extra = |command: &&SpeechCommand| match command {
        SpeechCommand::Transcribe { so_far, .. } => so_far.is_some(),
        other => matches!(other, SpeechCommand::Heard { .. } | SpeechCommand::Over),
    };
    assert_eq!(call.commands.iter().filter(extra).count(), 0);
}
