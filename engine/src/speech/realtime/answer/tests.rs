//! An answer's audio and transcript, arriving in every order, as sentences with their voice.

use super::*;

fn pieces(answer: &mut Answer) -> Vec<Piece> {
    std::iter::from_fn(|| answer.pop()).collect()
}

fn sentence(text: &str) -> Piece {
    Piece::Sentence(text.to_owned())
}

fn audio(bytes: usize) -> Bytes {
    vec![0x21; bytes].into()
}

/// Bytes a text usually takes.
fn length(text: &str) -> usize {
    text.len() * BYTES_PER_LETTER
}

#[test]
fn a_sentence_goes_before_its_voice() {
    let mut answer = Answer::default();
    answer.text("We are open. ");
    assert!(answer.audio(audio(800)));
    assert_eq!(pieces(&mut answer), [sentence("We are open."), Piece::Voice(audio(800))]);
}

#[test]
fn the_transcript_runs_ahead_and_the_next_sentence_waits_for_its_voice() {
    let mut answer = Answer::default();
    answer.text("We are open. Until five today. ");
    let first = length("We are open.");
    answer.audio(audio(first + 100));
    answer.audio(audio(200));
    let expected = [
        sentence("We are open."),
        Piece::Voice(audio(first)),
        sentence("Until five today."),
        Piece::Voice(audio(100)),
        Piece::Voice(audio(200)),
    ];
    assert_eq!(pieces(&mut answer), expected);
}

#[test]
fn voice_that_comes_before_any_text_is_not_held_back() {
    let mut answer = Answer::default();
    answer.audio(audio(160));
    assert_eq!(pieces(&mut answer), [Piece::Voice(audio(160))]);
    answer.text("Yes");
    answer.complete();
    assert_eq!(pieces(&mut answer), [sentence("Yes")]);
    assert_eq!(answer.words(), "Yes");
}

#[test]
fn at_the_end_every_sentence_is_told() {
    let mut answer = Answer::default();
    answer.text("We are open. Until five today. Come");
    answer.audio(audio(160));
    answer.complete();
    let expected =
        [sentence("We are open."), Piece::Voice(audio(160)), sentence("Until five today."), sentence("Come")];
    assert_eq!(pieces(&mut answer), expected);
    assert_eq!(answer.words(), "We are open. Until five today. Come");
}

#[test]
fn a_transcript_that_comes_whole_is_taken_once() {
    let mut answer = Answer::default();
    answer.whole_text("Good morning to you. ");
    answer.whole_text("Good morning to you. ");
    answer.complete();
    assert_eq!(pieces(&mut answer), [sentence("Good morning to you.")]);
}

#[test]
fn an_answer_without_end_is_refused() {
    let mut answer = Answer::default();
    assert!(answer.audio(audio(LONGEST)));
    assert!(!answer.audio(audio(1)));
}

#[test]
fn a_call_is_put_together_from_what_each_event_knows() {
    let call = |id: &str, name: &str, arguments: &str| ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    };
    let mut answer = Answer::default();
    answer.call("item_1", call("call_1", "look_up", ""));
    answer.call("item_1", call("call_1", "", "{\"n\":1}"));
    answer.call("item_2", call("call_2", "hang_up", "{}"));
    let calls: Vec<_> = answer.calls().iter().map(|(_, call)| call.clone()).collect();
    assert_eq!(calls, [call("call_1", "look_up", "{\"n\":1}"), call("call_2", "hang_up", "{}")]);
}

#[test]
fn a_voice_that_does_not_wait_for_the_sentence_s_end_takes_the_words_there_are() {
    let mut answer = Answer::default();
    answer.text("We are open. Today we are here until half past f");
    let first = length("We are open.");
    answer.audio(audio(first + 10));
    answer.text("ive.");
    answer.complete();
    let expected = [
        sentence("We are open."),
        Piece::Voice(audio(first + 10)),
        sentence("Today we are here until half past"),
        sentence("five."),
    ];
    assert_eq!(pieces(&mut answer), expected);
}
