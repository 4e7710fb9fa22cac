//! What an agent file may say, and how a mistake in it is told.
//! Understanding callers by it is tested in `meaning` and `script`.

use std::path::Path;

use super::*;

const CARDS: &str = include_str!("../../../../../agents/cards.toml");

fn error(from: &str, to: &str) -> String {
    assert!(CARDS.contains(from), "{from}");
    AgentFile::parse(&CARDS.replacen(from, to, 1), Path::new("mine.toml")).unwrap_err().to_string()
}

#[test]
fn the_files_that_come_with_tandem_are_right() {
    for text in [CARDS, include_str!("../../../../../agents/reception.toml")] {
        AgentFile::parse(text, Path::new("agent.toml")).unwrap();
    }
}

#[test]
fn errors_name_the_file_the_line_and_what_is_expected() {
    for (from, to, parts) in [
        ("voice = \"rms\"", "voice = \"bob\"", ["line 5, voice", "no voice \"bob\"; there are kal16"]),
        ("[of] <suit>", "[of <suit>", ["slots.card", "']' is missing"]),
        ("[of] <suit>", "[of] <suits>", ["slots.card", "names <suits>"]),
        ("[of] <suit>", "[of] <cards>", ["slots.card", "cannot contain itself"]),
        ("{cards}", "{card_s}", ["intent \"cards\", replies", "{card_s} is unknown"]),
        ("then = \"hang_up\"", "then = \"hangup\"", ["mine.toml", "hang_up"]),
        ("greeting =", "greting =", ["mine.toml", "greting"]),
        ("phrases = [\"goodbye\"]", "phrases = []", ["intent \"goodbye\", phrases", "at least one"]),
    ] {
        let error = error(from, to);
        assert!(error.starts_with("mine.toml"), "{error}");
        assert!(parts.iter().all(|part| error.contains(part)), "{to}: {error}");
    }
}
