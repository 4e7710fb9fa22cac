//! From words to intents and slots.
//! No sound and no replies here.

use std::path::Path;

use super::*;

fn reception() -> AgentFile {
    AgentFile::parse(include_str!("../../../../../agents/reception.toml"), Path::new("reception.toml")).unwrap()
}

/// What the slot was filled with; `None` if the line is no phrase, empty if its phrase has no such slot.
fn slot(agent: &AgentFile, line: &str, name: &str) -> Option<String> {
    understand(agent, line).map(|(_, _, slots)| slots.get(name).cloned().unwrap_or_default())
}

#[test]
fn figures_and_marks_are_read_as_they_are_said() {
    assert_eq!(words("Room 4-0, what's UP?"), ["room", "four", "zero", "what's", "up"]);
    assert!(words(" ... ").is_empty());
}

#[test]
fn slots_are_filled_with_the_words_and_digits_with_figures() {
    let agent = reception();
    assert_eq!(slot(&agent, "Are you open on Monday?", DAY).as_deref(), Some("on monday"));
    assert_eq!(slot(&agent, "are you open tomorrow, please", DAY).as_deref(), Some("tomorrow"));
    assert_eq!(slot(&agent, "my number is five oh 1", DIGITS).as_deref(), Some("5 0 1"));
    assert_eq!(slot(&agent, "[pressed 42]", DIGITS).as_deref(), Some("4 2"));
    assert_eq!(slot(&agent, "can i speak to the manager", "someone").as_deref(), Some("the manager"));
}

#[test]
fn a_line_is_understood_only_as_a_whole() {
    let agent = reception();
    for line in ["", "please", "are you open on tomorrow", "when are you open my friend", "open are you when"] {
        assert!(understand(&agent, line).is_none(), "{line}");
    }
    assert!(understand(&agent, "excuse me, when are you open, please?").is_some());
    assert!(understand(&agent, &"nine ".repeat(MAX_DIGITS)).is_some());
    assert!(understand(&agent, &"nine ".repeat(MAX_DIGITS + 1)).is_none());
    assert!(understand(&agent, &"nine ".repeat(MAX_WORDS + 1)).is_none());
}

#[test]
fn of_two_intents_with_one_phrase_the_first_answers() {
    let agent = reception();
    let number = |line| understand(&agent, line).unwrap().0;
    assert_eq!(number("are you open now"), 1);
    assert_eq!(number("are you open today"), 0);
}
