//! Conversations with the scripted agent, line by line.
//! Its clock stands still.

use super::*;
use crate::call::UNCLEAR;

const RECEPTION: &str = include_str!("../../../../../agents/reception.toml");

fn agent() -> ScriptedAgent {
    let file = AgentFile::parse(&format!("timezone = \"UTC\"\n{RECEPTION}"), Path::new("reception.toml")).unwrap();
    ScriptedAgent::new(file).with_clock(Arc::new(|| "2026-11-20T10:30:00Z".parse().unwrap()))
}

/// The agent's lines to what a caller says one after the other.
fn conversation(caller: &[&str]) -> Vec<Reply> {
    let (agent, mut lines, mut replies) = (agent(), Vec::new(), Vec::new());
    for line in caller {
        lines.push(Line::Caller((*line).to_owned()));
        let reply = agent.reply(&lines);
        lines.push(Line::Agent(reply.text.clone()));
        replies.push(reply);
    }
    replies
}

#[test]
fn before_the_caller_spoke_there_is_the_greeting() {
    assert_eq!(agent().reply(&[]).text, agent().file().greeting);
}

#[test]
fn time_comes_from_the_clock_it_was_given() {
    assert_eq!(conversation(&["What time is it?"])[0].text, "It is 10:30 a.m.");
    assert_eq!(conversation(&["what day is it"])[0].text, "Today is Friday, November 20th.");
}

#[test]
fn unclear_lines_are_asked_again_in_other_words_and_then_told_what_there_is() {
    let file = agent().file().clone();
    let said = conversation(&[UNCLEAR, "blah", UNCLEAR, "what time is it", UNCLEAR]);
    assert_eq!(said[0].text, file.unclear[0]);
    assert_eq!(said[1].text, file.still_unclear[0]);
    assert_eq!(said[2].text, file.still_unclear[1]);
    assert_eq!(said[4].text, file.unclear[0]);
}

#[test]
fn the_line_after_take_a_message_is_the_message_whatever_it_is() {
    let file = agent().file().clone();
    for message in [UNCLEAR, "goodbye", "my dog is green"] {
        let said = conversation(&["can you take a message", message, "goodbye"]);
        assert_eq!(said[1], Reply { text: file.message_taken[0].clone(), hang_up: false });
        assert!(said[2].hang_up);
    }
}

#[test]
fn repeating_twice_repeats_the_answer_and_not_the_repetition() {
    let said = conversation(&["my number is four oh two", "repeat that", UNCLEAR, "say that again please"]);
    assert_eq!(said[0].text, "I have 4 0 2. Is that right?");
    assert_eq!(said[1].text, "I said: I have 4 0 2. Is that right?");
    assert_eq!(said[3].text, said[1].text);
}

#[test]
fn an_answer_is_given_in_turns() {
    let said = conversation(&["thanks", "thanks", "thanks"]);
    assert_ne!(said[0], said[1]);
    assert_eq!(said[0], said[2]);
}
