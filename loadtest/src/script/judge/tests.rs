//! A script's lines against what the node told.
//! No call is made here.

use super::*;

fn event(kind: EventKind) -> Entry {
    Entry::Event(Box::new(CallEvent { v: 1, call_id: "c".to_owned(), seq: 0, call_started_at_ms: 0, at_ms: 0, kind }))
}

fn heard(turn: u32, text: &str) -> Entry {
    event(EventKind::TurnTranscribed { turn, text: text.to_owned() })
}

fn completed(turn: u32, reply: &str) -> Entry {
    event(EventKind::TurnCompleted {
        turn,
        caller_text: String::new(),
        agent_text: reply.to_owned(),
        heard_text: String::new(),
        heard_ms: 0,
        interrupted: false,
        latency: TurnLatency { caller_heard_ms: turn, ..TurnLatency::default() },
    })
}

fn script(lines: &str) -> Script {
    Script::parse(lines, "test").unwrap()
}

fn two_lines() -> Script {
    script(
        "[[line]]\nsay = \"hours\"\nexpect_transcript = [\"hours\"]\nexpect_reply = [\"nine\"]\n\
         [[line]]\nsay = \"stop\"\nbarge_in_after_ms = 500\nexpect_transcript = [\"stop\"]",
    )
}

#[test]
fn a_line_whose_words_and_reply_came_is_understood() {
    let entries = [Entry::Line(0), heard(1, "Your hours?"), completed(1, "From nine.")];
    let verdicts = judge(
        &script("[[line]]\nsay = \"hours\"\nexpect_transcript = [\"hours\"]\nexpect_reply = [\"nine\"]"),
        &entries,
    );
    assert!(verdicts[0].understood, "{verdicts:?}");
    assert_eq!(verdicts[0].latency.unwrap().caller_heard_ms, 1);
}

#[test]
fn an_interrupted_turn_that_completes_late_belongs_to_its_own_line() {
    let entries = [
        Entry::Line(0),
        heard(1, "hours"),
        Entry::Line(1),
        event(EventKind::BargeIn { heard_ms: 700 }),
        completed(1, "From nine to five."),
        heard(2, "stop"),
        completed(2, "All right."),
    ];
    let verdicts = judge(&two_lines(), &entries);
    assert!(verdicts.iter().all(|verdict| verdict.understood), "{verdicts:?}");
    assert_eq!((verdicts[0].reply.as_str(), verdicts[1].reply.as_str()), ("From nine to five.", "All right."));
}

#[test]
fn an_unnoticed_interruption_is_missed() {
    let entries = [Entry::Line(0), heard(1, "hours"), completed(1, "nine"), Entry::Line(1), heard(2, "stop")];
    assert_eq!(judge(&two_lines(), &entries)[1].missed, ["the agent did not notice being interrupted"]);
}

#[test]
fn a_wrong_transcript_and_a_wrong_reply_are_both_told() {
    let entries = [Entry::Line(0), heard(1, "flowers"), completed(1, "We have roses.")];
    let missed = &judge(&two_lines(), &entries)[0].missed;
    assert_eq!(
        missed[..],
        [r#"the transcript has no "hours": "flowers""#, r#"the reply has no "nine": "We have roses.""#]
    );
}

#[test]
fn a_line_nobody_heard_is_missed() {
    assert_eq!(judge(&two_lines(), &[Entry::Line(0)])[0].missed[0], "the node heard no turn");
}

#[test]
fn a_pressed_key_must_be_seen_after_it_was_pressed() {
    let script = script("[[line]]\nsay = \"a\"\n[[line]]\ndtmf = \"5\"");
    let key = || event(EventKind::Dtmf { digit: '5', duration_ms: 160 });
    assert!(!judge(&script, &[Entry::Line(0), key(), Entry::Line(1)])[1].understood);
    assert!(judge(&script, &[Entry::Line(0), Entry::Line(1), key()])[1].understood);
}

#[test]
fn the_greeting_is_what_was_said_before_the_first_line() {
    let script = script("expect_greeting = [\"tandem\"]\n[[line]]\nsay = \"a\"");
    let prompt = |text: &str| event(EventKind::PromptStarted { text: text.to_owned() });
    assert_eq!(judge_greeting(&script, &[prompt("Hello, Tandem here."), Entry::Line(0)]), [""; 0]);
    assert_eq!(judge_greeting(&script, &[Entry::Line(0), prompt("Tandem")]).len(), 1);
}
