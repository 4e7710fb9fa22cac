//! The notation of phrases, and what is wrong with a phrase that is none.
//! What phrases mean is tested in `meaning`.

use proptest::prelude::*;

use super::*;

fn phrase() -> impl Strategy<Value = Phrase> {
    let word = "[a-z]{1,6}".prop_map(Phrase::Word);
    let leaf = prop_oneof![4 => word.clone(), 1 => "[a-z][a-z0-9_]{0,5}".prop_map(Phrase::Slot)];
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Phrase::Choice),
            (word_first(), inner.clone())
                .prop_map(|(word, rest)| Phrase::Sequence(vec![word, Phrase::Choice(vec![rest.clone(), rest])])),
        ]
    });
    (word, tree).prop_map(|(word, tree)| Phrase::Sequence(vec![word, Phrase::Optional(Box::new(tree))]))
}

fn word_first() -> impl Strategy<Value = Phrase> {
    "[a-z]{1,6}".prop_map(Phrase::Word)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_the_same(phrase in phrase()) {
        let written = phrase.to_string();
        let read = Phrase::parse(&written);
        prop_assert!(read.is_ok(), "{} {:?}", written, read);
        prop_assert_eq!(read.unwrap().to_string(), written);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,60}") {
        let _ = Phrase::parse(&text);
    }

    #[test]
    fn no_brackets_make_the_reader_panic(text in "[a<>()|\\[\\] ]{0,80}") {
        let _ = Phrase::parse(&text);
    }
}

#[test]
fn capitals_and_marks_are_ignored() {
    assert_eq!(Phrase::parse("What's the time, please?").unwrap().to_string(), "what's the time please");
}

#[test]
fn errors_name_the_place_and_what_is_expected() {
    for (text, column, part) in [
        ("are you (open", 14, "')' is missing"),
        ("open] now", 5, "without its opening bracket"),
        ("room 2", 6, "numbers are written as they are said"),
        ("room <Two>", 7, "a slot is written <name>"),
        ("open | ", 8, "a word is missing"),
        ("[please]", 9, "at least one word that must be said"),
        ("caf\u{e9}", 4, "neither a letter"),
    ] {
        let error = Phrase::parse(text).unwrap_err();
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.reason.contains(part), "{text}: {error}");
    }
}
