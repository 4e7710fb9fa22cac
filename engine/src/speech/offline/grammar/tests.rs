//! The word graph that an agent file's phrases become.
//! Whether voices are heard by it is in `tests/offline_speech`.

use std::path::Path;

use proptest::prelude::*;

use super::super::meaning::understand;
use super::*;

fn cards() -> AgentFile {
    AgentFile::parse(include_str!("../../../../../agents/cards.toml"), Path::new("cards.toml")).unwrap()
}

fn reception() -> AgentFile {
    AgentFile::parse(include_str!("../../../../../agents/reception.toml"), Path::new("reception.toml")).unwrap()
}

/// `from`, `to` and the word, if there is one.
fn transitions(fsg: &str) -> Vec<(usize, usize, Option<&str>)> {
    let fields = fsg.lines().filter_map(|line| line.strip_prefix("TRANSITION "));
    fields
        .map(|line| {
            let mut fields = line.split(' ');
            let mut number = || fields.next().unwrap().parse::<f64>().unwrap() as usize;
            let (from, to, _) = (number(), number(), number());
            (from, to, fields.next())
        })
        .collect()
}

fn state(fsg: &str, name: &str) -> usize {
    fsg.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse().unwrap()
}

fn accepts(fsg: &str, line: &str) -> bool {
    let transitions = transitions(fsg);
    let step = |at: usize, word: Option<&str>| {
        transitions.iter().find(|(from, _, said)| *from == at && *said == word).map(|(_, to, _)| *to)
    };
    let end = line.split_whitespace().try_fold(state(fsg, "START_STATE"), |at, word| step(at, Some(word)));
    end.and_then(|at| step(at, None)) == Some(state(fsg, "FINAL_STATE"))
}

#[test]
fn every_word_of_the_grammar_is_listed() {
    for agent in [cards(), reception()] {
        let grammar = Grammar::of(&agent);
        for (_, _, word) in transitions(&grammar.fsg) {
            assert!(word.is_none_or(|word| grammar.words.contains_key(word)), "{word:?}");
        }
    }
}

#[test]
fn slots_optional_words_and_the_words_around_a_phrase_are_listened_for() {
    let grammar = Grammar::of(&reception());
    let (most, too_many) = (["nine"; MAX_DIGITS].join(" "), ["nine"; MAX_DIGITS + 1].join(" "));
    for line in ["excuse me when do you close on friday please", "are you open tomorrow", "help", "four oh two", &most]
    {
        assert!(accepts(&grammar.fsg, line), "{line}");
    }
    for line in ["", "please", "when do you close on", "are you open on tomorrow", "help thanks thanks", &too_many] {
        assert!(!accepts(&grammar.fsg, line), "{line}");
    }
}

proptest! {
    /// What can be heard is what is understood.
    #[test]
    fn hearing_and_understanding_agree(line in "(i|have|hold|ten|of|clubs|queen|goodbye)( (of|ten|clubs|two)){0,5}") {
        let agent = cards();
        prop_assert_eq!(accepts(&Grammar::of(&agent).fsg, &line), understand(&agent, &line).is_some());
    }
}
