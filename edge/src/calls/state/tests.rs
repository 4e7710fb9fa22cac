use edge_protocol::live::CallStatus;
use edge_protocol::{
    CallEvent, Direction, EndCause, EventKind, MediaQuality, ProviderUsage, TurnLatency, UsageStage, VERSION,
};

use super::{CallState, Speaker, transcript};

fn event(seq: u64, kind: EventKind) -> CallEvent {
    CallEvent { v: VERSION, call_id: "c".into(), seq, call_started_at_ms: 1_000, at_ms: seq * 100, kind }
}

fn started(account_id: Option<&str>) -> EventKind {
    EventKind::CallStarted {
        direction: Direction::Inbound,
        from: "sip:a@x".into(),
        to: "sip:b@y".into(),
        sip_call_id: "s".into(),
        codec: "PCMU".into(),
        agent: "Reception".into(),
        node: "node-1".into(),
        headers: vec![],
        account_id: account_id.map(Into::into),
        profile_id: None,
        identity: None,
    }
}

fn turn(turn: u32, caller_heard_ms: u32) -> EventKind {
    EventKind::TurnCompleted {
        turn,
        caller_text: "question".into(),
        agent_text: "the whole answer".into(),
        heard_text: "the whole".into(),
        heard_ms: 500,
        interrupted: true,
        latency: TurnLatency { caller_heard_ms, ..TurnLatency::default() },
    }
}

fn call(events: &[CallEvent]) -> CallState {
    let mut state = CallState::new("c");
    events.iter().for_each(|event| state.apply(event));
    state
}

fn used(stage: UsageStage, cost_microcredits: i64) -> ProviderUsage {
    ProviderUsage { cost_microcredits, ..ProviderUsage::none("main", stage) }
}

#[test]
fn a_call_is_summed_up_from_its_events() {
    let quality = MediaQuality { mos: 4.2, ..MediaQuality::default() };
    let state = call(&[
        event(0, started(Some("acc_1"))),
        event(1, EventKind::TurnTranscribed { turn: 0, text: "question".into() }),
        event(2, turn(0, 900)),
        event(3, turn(1, 700)),
        event(4, turn(2, 800)),
        event(
            5,
            EventKind::CallEnded {
                cause: EndCause::CallerHungUp,
                duration_ms: 4_321,
                turns: 3,
                quality,
                sip: None,
                wasted_requests: 0,
                usage: vec![used(UsageStage::Chat, 70), used(UsageStage::Telephony, 5)],
            },
        ),
        event(6, EventKind::RecordingReady { path: "p".into(), duration_ms: 4_321, bytes: 9 }),
    ]);
    let summary = &state.summary;
    assert_eq!((summary.status, summary.cause), (CallStatus::Ended, Some(EndCause::CallerHungUp)));
    assert_eq!((summary.duration_ms, summary.turns, summary.started_at_ms), (4_321, 3, 1_000));
    assert_eq!(summary.latency.map(|latency| latency.caller_heard_ms), Some(800));
    assert_eq!((summary.account_id.as_str(), summary.last_text.as_str()), ("acc_1", "the whole"));
    assert_eq!(summary.quality, Some(quality));
    assert_eq!(summary.provider_microcredits, Some(75));
}

#[test]
fn a_live_call_is_as_long_as_its_last_event_is_late() {
    let state = call(&[event(0, started(None)), event(7, EventKind::SpeechStarted { turn: 0 })]);
    assert_eq!((state.summary.status, state.summary.duration_ms), (CallStatus::Active, 700));
}

#[test]
fn the_owner_told_first_stays() {
    let mut state = CallState::new("c");
    state.open("acc_1", Some("prf_1"), "node-1");
    state.apply(&event(0, started(Some("acc_2"))));
    assert_eq!((state.account_id(), state.profile_id.as_deref()), (Some("acc_1"), Some("prf_1")));
}

#[test]
fn long_words_are_cut_by_characters() {
    let state = call(&[event(0, EventKind::PromptStarted { text: "ä".repeat(500) })]);
    assert_eq!(state.summary.last_text, "ä".repeat(200));
}

#[test]
fn the_transcript_has_what_was_heard() {
    let lines = transcript(&[
        event(0, EventKind::PromptStarted { text: "Hello".into() }),
        event(1, EventKind::TurnTranscribed { turn: 0, text: "question".into() }),
        event(2, turn(0, 1)),
    ]);
    let said: Vec<_> = lines.iter().map(|line| (line.speaker, line.text.as_str())).collect();
    assert_eq!(said, [(Speaker::Agent, "Hello"), (Speaker::Caller, "question"), (Speaker::Agent, "the whole")]);
}
