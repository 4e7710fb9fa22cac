//! From a caller's words to what was meant: the intent whose phrase they are, and what filled its slots.
//! No sound and no replies here.

use std::collections::BTreeMap;

use super::agent_file::{AgentFile, DAY, DIGITS, Intent};
use super::notation::Phrase;

/// What a slot was filled with, by the slot's name.
pub type Slots = BTreeMap<String, String>;

/// The spoken digits and their figures.
pub const SPOKEN_DIGITS: [(&str, char); 11] = [
    ("zero", '0'),
    ("oh", '0'),
    ("one", '1'),
    ("two", '2'),
    ("three", '3'),
    ("four", '4'),
    ("five", '5'),
    ("six", '6'),
    ("seven", '7'),
    ("eight", '8'),
    ("nine", '9'),
];

/// How many digits `<digits>` takes.
pub const MAX_DIGITS: usize = 16;

pub const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Lines longer than this are no phrase of anybody's.
const MAX_WORDS: usize = 64;

/// The first intent of the file that the line is a phrase of.
pub fn understand<'a>(agent: &'a AgentFile, line: &str) -> Option<(usize, &'a Intent, Slots)> {
    let words = words(line);
    if words.is_empty() || words.len() > MAX_WORDS {
        return None;
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let matcher = Matcher { agent, words: &words };
    let starts = matcher.around(&agent.before, 0);
    agent.intents.iter().enumerate().find_map(|(number, intent)| {
        let slots = intent.phrases.iter().find_map(|phrase| {
            let ways = starts.iter().flat_map(|start| matcher.ends(phrase, *start));
            ways.filter(|way| matcher.around(&agent.after, way.end).contains(&words.len())).map(|way| way.slots).next()
        })?;
        Some((number, intent, slots))
    })
}

/// Lower-case words; figures become spoken digits, all else is dropped.
pub fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in line.to_lowercase().chars() {
        let spoken = SPOKEN_DIGITS.iter().find(|(_, figure)| *figure == c).map(|(word, _)| *word);
        match (spoken, words.last_mut()) {
            (Some(digit), _) => words.extend([digit.to_owned(), String::new()]),
            (None, Some(word)) if c.is_alphabetic() || c == '\'' => word.push(c),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// One way to match a phrase: where it ends and what filled its slots.
#[derive(Clone)]
struct Way {
    end: usize,
    slots: Slots,
}

struct Matcher<'a> {
    agent: &'a AgentFile,
    words: &'a [&'a str],
}

impl Matcher<'_> {
    /// Where one of the optional phrases, or none, leaves us.
    fn around(&self, phrases: &[Phrase], start: usize) -> Vec<usize> {
        let mut ends = vec![start];
        ends.extend(phrases.iter().flat_map(|phrase| self.ends(phrase, start)).map(|way| way.end));
        ends
    }

    fn ends(&self, phrase: &Phrase, start: usize) -> Vec<Way> {
        match phrase {
            Phrase::Word(word) if self.words.get(start) == Some(&word.as_str()) => vec![Way::to(start + 1)],
            Phrase::Word(_) => Vec::new(),
            Phrase::Slot(name) => self.slot(name, start),
            Phrase::Choice(parts) => parts.iter().flat_map(|part| self.ends(part, start)).collect(),
            Phrase::Optional(part) => {
                let mut ways = self.ends(part, start);
                ways.push(Way::to(start));
                ways
            }
            Phrase::Sequence(parts) => parts.iter().fold(vec![Way::to(start)], |ways, part| {
                ways.iter()
                    .flat_map(|way| {
                        self.ends(part, way.end).into_iter().map(|mut next| {
                            let mut slots = way.slots.clone();
                            slots.append(&mut next.slots);
                            Way { end: next.end, slots }
                        })
                    })
                    .collect()
            }),
        }
    }

    fn slot(&self, name: &str, start: usize) -> Vec<Way> {
        let said = |way: &Way| self.words.get(start..way.end).unwrap_or_default().join(" ");
        let mut ways = match name {
            DIGITS => self.digits(start),
            DAY => self.day(start),
            _ => self.agent.slots.get(name).into_iter().flatten().flat_map(|phrase| self.ends(phrase, start)).collect(),
        };
        for way in &mut ways {
            let value = match name {
                DIGITS => figures(&said(way)),
                _ => said(way),
            };
            way.slots.insert(name.to_owned(), value);
        }
        ways
    }

    fn digits(&self, start: usize) -> Vec<Way> {
        let rest = self.words.get(start..).unwrap_or_default();
        let count = rest.iter().take_while(|word| figure(word).is_some()).count().min(MAX_DIGITS);
        (1..=count).rev().map(|n| Way::to(start + n)).collect()
    }

    fn day(&self, start: usize) -> Vec<Way> {
        match self.words.get(start..).unwrap_or_default() {
            ["today" | "tomorrow", ..] => vec![Way::to(start + 1)],
            ["on", day, ..] if WEEKDAYS.contains(day) => vec![Way::to(start + 2)],
            [day, ..] if WEEKDAYS.contains(day) => vec![Way::to(start + 1)],
            _ => Vec::new(),
        }
    }
}

impl Way {
    fn to(end: usize) -> Self {
        Self { end, slots: Slots::new() }
    }
}

fn figure(word: &str) -> Option<char> {
    SPOKEN_DIGITS.iter().find(|(spoken, _)| *spoken == word).map(|(_, figure)| *figure)
}

/// `five oh one` as `5 0 1`: apart, so that a voice says each.
fn figures(words: &str) -> String {
    let figures: Vec<String> = words.split(' ').filter_map(figure).map(String::from).collect();
    figures.join(" ")
}

#[cfg(test)]
mod tests;
