//! A person with a real phone: rings, hears the greeting, asks, is answered, hangs up.

use std::time::Duration;

use edge_protocol::{EndCause, EventKind};

use crate::baresip::{Phone, Sound, in_stereo, say};
use crate::stack::Stack;

/// Silence before the question, long enough for any greeting, in seconds.
const GREETING_S: u32 = 8;

#[tokio::test]
async fn a_real_phone_hears_the_greeting_and_is_answered() {
    let stack = Stack::start(1).await.expect("Kamailio and a node");
    let node = &stack.nodes[0];
    let mut events = node.events().await.expect("the node's events");
    let question = say(stack.dir.path(), "what are your opening hours", GREETING_S, 20).expect("a question");

    let agent = format!("sip:agent@127.0.0.1:{}", stack.port);
    let mut phone = Phone::dial(stack.dir.path(), &agent, &question).expect("a phone");

    let soon = Duration::from_secs(10);
    let started = events.until("start of the call", soon, |event| matches!(event, EventKind::CallStarted { .. }));
    let EventKind::CallStarted { from, .. } = started.await.expect("the call starts").kind else { unreachable!() };
    assert!(from.contains("phone@127.0.0.1"), "the caller's URI is kept: {from}");
    events.until("greeting", soon, |event| matches!(event, EventKind::PromptStarted { .. })).await.expect("a greeting");

    let understood =
        |event: &EventKind| matches!(event, EventKind::TurnTranscribed { text, .. } if text.contains("hours"));
    events.until("question", Duration::from_secs(20), understood).await.expect("the question is understood");
    let answered =
        |event: &EventKind| matches!(event, EventKind::TurnCompleted { heard_text, .. } if !heard_text.is_empty());
    events.until("answer", Duration::from_secs(20), answered).await.expect("the question is answered");

    phone.hang_up().await.expect("the phone hangs up");
    let ended = events.until("end of the call", soon, |event| matches!(event, EventKind::CallEnded { .. }));
    let EventKind::CallEnded { cause, .. } = ended.await.expect("the call ends").kind else { unreachable!() };
    assert_eq!(cause, EndCause::CallerHungUp);

    let heard = phone.heard().expect("the phone's recording");
    let asked = Duration::from_secs(u64::from(GREETING_S));
    let greeting = heard.speech_between(Duration::ZERO, asked);
    assert!(greeting > Duration::from_millis(700), "the phone heard {greeting:?} of greeting");
    let answer = heard.speech_between(asked + Duration::from_secs(1), heard.duration());
    assert!(answer > Duration::from_millis(700), "the phone heard {answer:?} of answer");

    let ready = events.until("recording", soon, |event| matches!(event, EventKind::RecordingReady { .. }));
    ready.await.expect("the recording is ready");
    let recordings = node.recordings();
    assert_eq!(recordings.len(), 1, "one call, one recording: {recordings:?}");
    let caller = Sound::channel(&recordings[0], 0).expect("the caller's channel");
    let spoken = caller.speech_between(asked - Duration::from_secs(1), asked + Duration::from_secs(4));
    assert!(spoken > Duration::from_millis(500), "the recording holds {spoken:?} of the question");
}

#[tokio::test]
async fn phones_that_speak_opus_or_g722_only_are_understood_and_heard() {
    for (codecs, spoken) in [("opus/48000/2", "opus"), ("G722/16000/1", "G722")] {
        let stack = Stack::start(1).await.expect("Kamailio and a node");
        let mut events = stack.nodes[0].events().await.expect("the node's events");
        let question = say(stack.dir.path(), "what are your opening hours", GREETING_S, 15).expect("a question");
        let question = if spoken == "opus" { in_stereo(&question).expect("a question in stereo") } else { question };
        let agent = format!("sip:agent@127.0.0.1:{}", stack.port);
        let mut phone = Phone::dial_in(stack.dir.path(), &agent, &question, codecs).expect("a phone");

        let soon = Duration::from_secs(10);
        let started = events.until("start of the call", soon, |event| matches!(event, EventKind::CallStarted { .. }));
        let EventKind::CallStarted { codec, .. } = started.await.expect("the call starts").kind else { unreachable!() };
        assert_eq!(codec, spoken);
        let understood =
            |event: &EventKind| matches!(event, EventKind::TurnTranscribed { text, .. } if text.contains("hours"));
        events.until("question", Duration::from_secs(25), understood).await.expect("the question is understood");
        let answered =
            |event: &EventKind| matches!(event, EventKind::TurnCompleted { heard_text, .. } if !heard_text.is_empty());
        events.until("answer", Duration::from_secs(20), answered).await.expect("the question is answered");

        phone.hang_up().await.expect("the phone hangs up");
        let ended = events.until("end of the call", soon, |event| matches!(event, EventKind::CallEnded { .. }));
        let EventKind::CallEnded { quality, .. } = ended.await.expect("the call ends").kind else { unreachable!() };
        assert!(quality.packets_lost == 0 && quality.concealed_ms < 200, "{spoken}: {quality:?}");
        let heard = phone.heard().expect("the phone's recording");
        let asked = Duration::from_secs(u64::from(GREETING_S));
        let greeting = heard.speech_between(Duration::ZERO, asked);
        assert!(greeting > Duration::from_millis(700), "the phone heard {greeting:?} of greeting in {spoken}");
    }
}
