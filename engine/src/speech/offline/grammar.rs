//! Everything an agent file understands as one graph of words, and the words it needs.
//! How words sound is `pronunciation`; decoding is `ears`.

use std::collections::BTreeMap;

use super::agent_file::{AgentFile, DAY, DIGITS};
use super::meaning::{MAX_DIGITS, SPOKEN_DIGITS, WEEKDAYS};
use super::notation::{Leaf, Phrase};
use super::word_graph::{Point, WordGraph};

/// A grammar in pocketsphinx's FSG format, and its words, each with a phrase that uses it (for errors).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grammar {
    pub fsg: String,
    pub words: BTreeMap<String, String>,
}

impl Grammar {
    /// Every phrase of every intent, with the optional phrases before and after.
    pub fn of(agent: &AgentFile) -> Self {
        let phrases = || agent.intents.iter().flat_map(|intent| &intent.phrases);
        let mut writer = Writer { agent, graph: WordGraph::default() };
        let start = writer.graph.point();
        let begun = writer.choice(&agent.before, start);
        writer.graph.skip(start, begun);
        let said = writer.choice(phrases(), begun);
        let end = writer.choice(&agent.after, said);
        writer.graph.skip(said, end);

        let mut words = BTreeMap::new();
        for phrase in phrases().chain(agent.slots.values().flatten()).chain(&agent.before).chain(&agent.after) {
            phrase.visit(&mut |leaf| {
                if let Leaf::Word(word) = leaf {
                    words.entry(word.to_owned()).or_insert_with(|| phrase.to_string());
                }
            });
        }
        let built_in = SPOKEN_DIGITS.iter().map(|(word, _)| *word).chain(WEEKDAYS).chain(["on", "today", "tomorrow"]);
        for word in built_in {
            words.entry(word.to_owned()).or_insert_with(|| "<digits> or <day>".to_owned());
        }
        Self { fsg: writer.graph.fsg(start, end), words }
    }
}

/// Puts phrases into a graph, each from a point to the point after it.
struct Writer<'a> {
    agent: &'a AgentFile,
    graph: WordGraph,
}

impl<'a> Writer<'a> {
    fn phrase(&mut self, phrase: &'a Phrase, from: Point) -> Point {
        match phrase {
            Phrase::Word(word) => self.graph.say(from, word),
            Phrase::Slot(name) => self.slot(name, from),
            Phrase::Sequence(parts) => parts.iter().fold(from, |at, part| self.phrase(part, at)),
            Phrase::Choice(parts) => self.choice(parts, from),
            Phrase::Optional(part) => {
                let end = self.phrase(part, from);
                self.graph.skip(from, end);
                end
            }
        }
    }

    fn choice(&mut self, phrases: impl IntoIterator<Item = &'a Phrase>, from: Point) -> Point {
        let end = self.graph.point();
        for phrase in phrases {
            let said = self.phrase(phrase, from);
            self.graph.skip(said, end);
        }
        end
    }

    fn slot(&mut self, name: &str, from: Point) -> Point {
        match name {
            DIGITS => self.digits(from),
            DAY => {
                let on = self.graph.say(from, "on");
                self.graph.skip(from, on);
                let end = self.words(WEEKDAYS, on);
                let soon = self.words(["today", "tomorrow"], from);
                self.graph.skip(soon, end);
                end
            }
            _ => self.choice(self.agent.slots.get(name).into_iter().flatten(), from),
        }
    }

    /// One digit, and more up to [`MAX_DIGITS`].
    fn digits(&mut self, from: Point) -> Point {
        let end = self.graph.point();
        let mut at = from;
        for _ in 0..MAX_DIGITS {
            at = self.words(SPOKEN_DIGITS.map(|(word, _)| word), at);
            self.graph.skip(at, end);
        }
        end
    }

    /// One of `words`.
    fn words<const N: usize>(&mut self, words: [&str; N], from: Point) -> Point {
        let end = self.graph.point();
        for word in words {
            let said = self.graph.say(from, word);
            self.graph.skip(said, end);
        }
        end
    }
}

#[cfg(test)]
mod tests;
