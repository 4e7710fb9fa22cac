//! Sentences as a graph of words in which what sentences begin or end with alike is there once, for pocketsphinx.
//! Written out with every choice the same sentences take the decoder half as long again. Which they are is `grammar`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// A point between two words. Points of one graph only make sense there.
pub type Point = usize;

/// Points, and the words that lead from one to another; never in a circle.
#[derive(Debug, Default)]
pub struct WordGraph {
    points: Vec<Ways>,
}

#[derive(Debug, Default)]
struct Ways {
    words: Vec<(String, Point)>,
    /// Where one is as well, without a word.
    free: Vec<Point>,
}

/// Where the same words lead on, whichever way one came: by word, and whether a sentence may end here.
type Onward = (bool, BTreeMap<String, usize>);

impl WordGraph {
    pub fn point(&mut self) -> Point {
        self.points.push(Ways::default());
        self.points.len() - 1
    }

    /// A new point, one word on.
    pub fn say(&mut self, from: Point, word: &str) -> Point {
        let to = self.point();
        if let Some(ways) = self.points.get_mut(from) {
            ways.words.push((word.to_owned(), to));
        }
        to
    }

    /// Whoever is at `from` is at `to` as well.
    pub fn skip(&mut self, from: Point, to: Point) {
        if let Some(ways) = self.points.get_mut(from) {
            ways.free.push(to);
        }
    }

    /// The sentences from `start` to `end` in the format of pocketsphinx's `-fsg`, all as likely as each other.
    pub fn fsg(&self, start: Point, end: Point) -> String {
        let mut merged =
            Merged { graph: self, end, known: BTreeMap::new(), numbers: BTreeMap::new(), states: Vec::new() };
        let first = merged.state(self.reached(BTreeSet::from([start])));
        let last = merged.states.len();
        let mut fsg = format!("FSG_BEGIN agent\nNUM_STATES {}\nSTART_STATE {first}\nFINAL_STATE {last}\n", last + 1);
        for (number, (ends, words)) in merged.states.iter().enumerate() {
            // Writing to a String cannot fail.
            for (word, to) in words {
                let _ = writeln!(fsg, "TRANSITION {number} {to} 1.0 {word}");
            }
            if *ends {
                let _ = writeln!(fsg, "TRANSITION {number} {last} 1.0");
            }
        }
        fsg + "FSG_END\n"
    }

    /// `points` and all that is reached from them without a word.
    fn reached(&self, mut points: BTreeSet<Point>) -> BTreeSet<Point> {
        let mut new: Vec<Point> = points.iter().copied().collect();
        while let Some(ways) = new.pop().and_then(|point| self.points.get(point)) {
            new.extend(ways.free.iter().copied().filter(|to| points.insert(*to)));
        }
        points
    }
}

/// The graph with one state for all points where the same words were said, and for all that go on alike.
struct Merged<'a> {
    graph: &'a WordGraph,
    end: Point,
    known: BTreeMap<BTreeSet<Point>, usize>,
    numbers: BTreeMap<Onward, usize>,
    states: Vec<Onward>,
}

impl Merged<'_> {
    /// The number of the state that stands for `points`. As deep as the longest sentence.
    fn state(&mut self, points: BTreeSet<Point>) -> usize {
        if let Some(number) = self.known.get(&points) {
            return *number;
        }
        let mut next: BTreeMap<&str, BTreeSet<Point>> = BTreeMap::new();
        let graph = self.graph;
        for (word, to) in points.iter().filter_map(|point| graph.points.get(*point)).flat_map(|ways| &ways.words) {
            next.entry(word).or_default().insert(*to);
        }
        let words = next.into_iter().map(|(word, to)| (word.to_owned(), self.state(graph.reached(to)))).collect();
        let onward = (points.contains(&self.end), words);
        let number = *self.numbers.entry(onward.clone()).or_insert_with(|| {
            self.states.push(onward);
            self.states.len() - 1
        });
        self.known.insert(points, number);
        number
    }
}

#[cfg(test)]
mod tests;
