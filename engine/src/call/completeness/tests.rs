//! Which lines are taken for finished, and which for the middle of a sentence.
//! Nothing here runs outside tests.

use super::Completeness::{Finished, Open, Unfinished};
use super::{Completeness, Expected, expected_after, judge};

fn anything(text: &str) -> Completeness {
    judge(text, Expected::Anything)
}

#[test]
fn a_sentence_with_its_mark_is_finished() {
    for text in ["What time is it?", "I would like to book a table.", "Is it open today?", "Who is it for?", "Great!"] {
        assert_eq!(anything(text), Finished, "{text}");
    }
}

#[test]
fn a_line_that_ends_in_a_word_no_sentence_ends_in_is_unfinished_whatever_its_mark() {
    for text in [
        "I would like to",
        "I would like to.",
        "My number is",
        "Can you tell me if the",
        "So, um",
        "We need a table for",
        "Because",
        "I want to book a table and...",
        "On Monday,",
        "Let me see -",
        "Please enter your conference number followed by the",
    ] {
        assert_eq!(anything(text), Unfinished, "{text}");
    }
}

#[test]
fn a_question_is_finished_without_its_mark() {
    for text in ["what are your opening hours", "can i speak to somebody", "where is the car park"] {
        assert_eq!(anything(text), Finished, "{text}");
    }
    assert_eq!(anything("can you tell me if the"), Unfinished);
}

#[test]
fn words_without_a_mark_tell_nothing() {
    for text in ["could you tell me", "your call cannot be completed", "what time", ""] {
        assert_eq!(anything(text), Open, "{text}");
    }
}

#[test]
fn a_short_answer_is_never_the_middle_of_a_sentence() {
    for text in ["Yeah.", "yeah", "Yes, please.", "No thank you", "Okay.", "Sure", "That's right.", "Yes it is", "Bye."]
    {
        for expected in [Expected::Anything, Expected::YesOrNo, Expected::Name, Expected::Digits(None)] {
            assert_eq!(judge(text, expected), Finished, "{text} {expected:?}");
        }
    }
    assert_eq!(anything("Yes, I do."), Finished);
    assert_eq!(anything("Two coffees please"), Open);
}

#[test]
fn a_number_is_finished_when_it_has_the_digits_that_were_asked_for() {
    let four = expected_after("Please tell me the last four digits of your card.");
    assert_eq!(four, Expected::Digits(Some(4)));
    assert_eq!(judge("one two", four), Unfinished);
    assert_eq!(judge("12.", four), Unfinished);
    assert_eq!(judge("1 2 3 4", four), Finished);
    let any = expected_after("What is your phone number?");
    assert_eq!(any, Expected::Digits(None));
    assert_eq!(judge("five five five", any), Unfinished);
    assert_eq!(judge("555-1234-77", any), Open);
}

#[test]
fn what_the_agent_asked_for_is_read_from_its_last_line() {
    assert_eq!(expected_after("Thank you. May I have your name, please?"), Expected::Name);
    assert_eq!(expected_after("The table is free. Shall I book it?"), Expected::YesOrNo);
    assert_eq!(expected_after("How can I help you?"), Expected::Anything);
    assert_eq!(judge("John Smith", Expected::Name), Finished);
    assert_eq!(judge("My name is", Expected::Name), Unfinished);
}
