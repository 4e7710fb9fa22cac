//! Which lines are questions that have a reply, and which replies cannot be.
//! Nothing here runs outside tests.

use proptest::prelude::*;

use super::*;

fn reply(questions: &[&str]) -> Reply {
    let questions: Vec<String> = questions.iter().map(|&question| question.to_owned()).collect();
    Reply::new(&questions, "From nine to five.".to_owned()).unwrap()
}

#[test]
fn case_marks_and_spaces_do_not_count() {
    let hours = reply(&["when are you open", "what's your address?"]);
    for line in ["When are you open?", "  when are  you open.", "What’s your address", "whats your address"] {
        assert!(hours.answers(line), "{line}");
    }
    for line in ["when are you open today", "are you open", "when are you", ""] {
        assert!(!hours.answers(line), "{line}");
    }
}

#[test]
fn a_star_is_any_words_or_none() {
    let hours = reply(&["* opening hours *", "when * open"]);
    let lines = ["Opening hours?", "Tell me your opening hours, please.", "When open", "When are you, uh, open?"];
    for line in lines {
        assert!(hours.answers(line), "{line}");
    }
    for line in ["opening the hours", "when are you open today", "hours opening"] {
        assert!(!hours.answers(line), "{line}");
    }
    assert!(reply(&["a * b * c"]).answers("a b x b y c"));
}

#[test]
fn keys_are_a_line_too() {
    assert!(reply(&["[pressed 1]"]).answers("[pressed 1]"));
    assert!(!reply(&["[pressed 1]"]).answers("[pressed 12]"));
}

#[test]
fn a_reply_that_cannot_be_meant_is_refused() {
    let new = |questions: &[&str], text: &str| {
        let questions: Vec<String> = questions.iter().map(|&question| question.to_owned()).collect();
        Reply::new(&questions, text.to_owned()).unwrap_err()
    };
    assert_eq!(new(&[], "Hi."), ReplyError::NoQuestions { text: "Hi.".to_owned() });
    assert_eq!(new(&["hello", "* ?"], "Hi."), ReplyError::NoWords { question: "* ?".to_owned() });
    assert_eq!(new(&["hello"], " "), ReplyError::NoText { question: "hello".to_owned() });
}

proptest! {
    #[test]
    fn stars_match_as_if_every_split_were_tried(
        question in prop::collection::vec("[ab*]", 0..6), line in prop::collection::vec("[ab]", 0..8),
    ) {
        let words: Vec<Word> = question.iter().filter_map(|word| Word::new(word)).collect();
        prop_assert_eq!(fits(&words, &line), fits_by_trying(&words, &line));
    }
}

fn fits_by_trying(question: &[Word], line: &[String]) -> bool {
    match question.split_first() {
        None => line.is_empty(),
        Some((Word::Any, rest)) => (0..=line.len()).any(|skipped| fits_by_trying(rest, &line[skipped..])),
        Some((Word::One(word), rest)) => line.first() == Some(word) && fits_by_trying(rest, &line[1..]),
    }
}
