//! Behaviour of the sentence splitter on text as language models stream it.
//! Nothing here runs outside tests.

use proptest::prelude::*;

use super::{LONGEST, SentenceSplitter};

/// Streams `text` in pieces of `piece` characters and returns all sentences.
fn split(text: &str, piece: usize) -> Vec<String> {
    let mut splitter = SentenceSplitter::new();
    let characters: Vec<char> = text.chars().collect();
    let mut sentences = Vec::new();
    for piece in characters.chunks(piece.max(1)) {
        sentences.extend(splitter.push(&piece.iter().collect::<String>()));
    }
    sentences.extend(splitter.flush());
    sentences
}

fn assert_split(text: &str, expected: &[&str]) {
    for piece in [1, 3, 7, 1000] {
        assert_eq!(split(text, piece), expected, "in pieces of {piece}");
    }
}

#[test]
fn sentences_end_at_their_marks() {
    assert_split(
        "We are open today. Would you like to come by? Please do! It is easy; just ring the bell.",
        &["We are open today.", "Would you like to come by?", "Please do! It is easy;", "just ring the bell."],
    );
}

#[test]
fn a_sentence_is_given_back_as_soon_as_the_space_after_it_has_come() {
    let mut splitter = SentenceSplitter::new();
    assert!(splitter.push("We open at nine o'clock.").is_empty());
    assert_eq!(splitter.push(" "), ["We open at nine o'clock."]);
    assert!(splitter.is_empty());
}

#[test]
fn a_new_line_ends_a_sentence_at_once() {
    let mut splitter = SentenceSplitter::new();
    assert_eq!(splitter.push("First\nSecond"), ["First"]);
    assert_eq!(splitter.flush().as_deref(), Some("Second"));
}

#[test]
fn numbers_and_addresses_stay_whole() {
    assert_split(
        "It costs 3.5 euros per hour. See www.example.com/a.b?c=d;e for more.",
        &["It costs 3.5 euros per hour.", "See www.example.com/a.b?c=d;e for more."],
    );
}

#[test]
fn abbreviations_end_no_sentence() {
    assert_split(
        "You will meet Dr. Miller and Mrs. J. Smith, e.g. tomorrow. Is that fine?",
        &["You will meet Dr. Miller and Mrs. J. Smith,", "e.g. tomorrow.", "Is that fine?"],
    );
}

#[test]
fn only_the_first_piece_may_be_a_clause() {
    assert_split(
        "Let me see what I can find for you, one moment. There is a table at seven o'clock, by the window.",
        &["Let me see what I can find for you,", "one moment.", "There is a table at seven o'clock, by the window."],
    );
    assert_split("Yes, we are open.", &["Yes, we are open."]);
}

#[test]
fn a_time_of_day_ends_a_sentence_only_before_a_capital() {
    assert_split("We are open from 9 a.m. to 5 p.m. every day.", &["We are open from 9 a.m. to 5 p.m. every day."]);
    assert_split("We close at 5 p.m. Come early.", &["We close at 5 p.m.", "Come early."]);
}

#[test]
fn a_short_beginning_is_joined_with_what_follows() {
    assert_split("Yes. We are open. Bye.", &["Yes. We are open.", "Bye."]);
}

#[test]
fn quotes_and_brackets_stay_with_their_sentence() {
    assert_split(
        "She said \"please wait a moment.\" Then she left (really.) And came back.",
        &["She said \"please wait a moment.\"", "Then she left (really.)", "And came back."],
    );
}

#[test]
fn the_number_of_a_list_entry_is_not_spoken_alone() {
    assert_split(
        "1. Open the front door\n2. Walk up to the desk",
        &["1. Open the front door", "2. Walk up to the desk"],
    );
}

#[test]
fn text_without_an_end_is_cut_at_a_comma() {
    let clause = "and then we will look at the next thing on the list together, ";
    let sentences = split(&clause.repeat(10), 4);
    assert!(sentences.len() > 3);
    assert!(sentences.iter().all(|sentence| sentence.ends_with("together,")), "{sentences:?}");
}

#[test]
fn white_space_alone_is_not_spoken() {
    assert_split(" \n\n  \t ", &[]);
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_added(text in "[a-zA-Z0-9 .,;:!?\n\"')(äß€…。-]{0,600}", piece in 1usize..40) {
        let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        let sentences = split(&text, piece);
        prop_assert_eq!(bare(&sentences.concat()), bare(&text));
    }

    #[test]
    fn no_sentence_is_empty_or_longer_than_the_bound(text in "(?s).{0,900}", piece in 1usize..40) {
        for sentence in split(&text, piece) {
            prop_assert!(!sentence.trim().is_empty());
            prop_assert!(sentence.chars().count() <= LONGEST, "{} characters", sentence.chars().count());
        }
    }

    #[test]
    fn how_the_text_is_cut_into_pieces_does_not_matter(text in "[a-zA-Z ]{0,30}([.!?;] [A-Z][a-z ]{12,30}){0,5}") {
        prop_assert_eq!(split(&text, 1), split(&text, 13));
    }
}

#[test]
fn a_voice_in_a_hurry_gets_whole_words_only_and_not_too_few() {
    let mut splitter = SentenceSplitter::new();
    splitter.push("We are here unti");
    assert_eq!(splitter.take_words(), None);
    splitter.push("l half past fi");
    assert_eq!(splitter.take_words().as_deref(), Some("We are here until half past"));
    splitter.push("ve.");
    assert_eq!(splitter.flush().as_deref(), Some("five."));
}
