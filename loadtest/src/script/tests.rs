//! Scripts in TOML, and what is wrong with one.
//! Judging is tested in `judge`.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Script, String> {
    Script::parse(text, "test.toml").map_err(|error| error.to_string())
}

#[test]
fn the_scripts_that_ship_are_valid() {
    let demo = parse(DEMO).unwrap();
    assert!(demo.lines.iter().filter(|line| line.say.is_some()).count() >= 6);
    assert_eq!(demo.lines.iter().filter(|line| line.barge_in_after_ms.is_some()).count(), 1);
    assert_eq!(demo.lines.iter().filter(|line| !line.dtmf.is_empty()).count(), 1);
    parse(LOAD).unwrap();
}

#[test]
fn a_line_has_words_expectations_and_defaults() {
    let script = parse("[[line]]\nsay = \"Hi\"\nexpect_reply = [\"hello|hi\", \"tandem\"]").unwrap();
    assert_eq!(script.voice, "rms");
    let line = &script.lines[0];
    assert_eq!((line.say.as_deref(), line.barge_in_after(), line.dtmf.as_str()), (Some("Hi"), None, ""));
    assert!(line.expect_reply.iter().all(|phrase| phrase.is_in("Hello, this is Tandem.")));
}

#[test]
fn a_broken_line_is_named_with_its_number_and_problem() {
    let cases = [
        ("dtmf = \"\"", "none of `say`, `wav` and `dtmf`"),
        ("say = \" \"", "nothing to say"),
        ("say = \"a\"\nwav = \"b.wav\"", "both `say` and `wav`"),
        ("dtmf = \"5x\"", "'x' is no key"),
        ("dtmf = \"5\"\nbarge_in_after_ms = 5", "can interrupt"),
    ];
    for (line, problem) in cases {
        let error = parse(&format!("[[line]]\nsay = \"first\"\n[[line]]\n{line}")).unwrap_err();
        assert!(error.starts_with("script test.toml, line 2:") && error.contains(problem), "{error}");
    }
}

#[test]
fn the_first_line_cannot_interrupt() {
    assert!(parse("[[line]]\nsay = \"a\"\nbarge_in_after_ms = 9").unwrap_err().contains("can interrupt"));
}

#[test]
fn a_misspelt_key_is_an_error_and_not_ignored() {
    assert!(parse("[[line]]\nsay = \"a\"\nexpect_replay = [\"b\"]").unwrap_err().contains("expect_replay"));
}

#[test]
fn phrases_match_whole_words_whatever_the_punctuation() {
    let phrase = Phrase::from("from nine|from 9".to_owned());
    assert!(phrase.is_in("We are open, from Nine to five."));
    assert!(phrase.is_in("from 9 a.m."));
    assert!(!phrase.is_in("from ninety to nineteen"));
    assert!(!phrase.is_in("nine from"));
}

proptest! {
    #[test]
    fn any_text_contains_itself_and_never_panics(text in "\\PC{0,60}", other in "\\PC{0,60}") {
        prop_assert!(Phrase::from(text.replace('|', " ")).is_in(&text));
        let _ = Phrase::from(other).is_in(&text);
    }

    #[test]
    fn any_file_is_a_script_or_an_error(text in "\\PC{0,200}") {
        let _ = Script::parse(&text, "any");
    }
}
