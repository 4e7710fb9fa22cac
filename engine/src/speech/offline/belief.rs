//! Whether what a closed grammar made out of an utterance is believed: against a free loop of phones.
//! A grammar always fits something; what was really said fits nearly as well as any phones at all could.

use std::collections::BTreeMap;

use super::phone_distance::distance;
use super::sphinx::Segment;

/// The words' own score per frame, negative: up to here they are believed without a second look, from there on never.
const CLEARLY_GOOD: f64 = 32.0;
const CLEARLY_BAD: f64 = 65.0;

/// Between the two, the doubt that is still believed. Doubt is how far the sentence is behind the phone loop, in score
/// per frame of its words, and what two suspicions add to it:
const MAX_DOUBT: f64 = 30.0;
/// its two worst words are further behind than this, for a wrong sentence may be right in most of its words;
const WORDS_BEHIND: f64 = 20.0;
const WORDS_WEIGHT: f64 = 0.4;
/// and the phones that the loop heard are others than the words are made of (see [`distance`]).
const STRANGE: f64 = 0.9;
const STRANGE_WEIGHT: f64 = 20.0;

/// Words of less than 50 ms tell nothing by themselves.
const WORD_FRAMES: usize = 5;

/// The phones of every word, by its name in the dictionary, such as `what(2)`.
pub type Phones = BTreeMap<String, Vec<String>>;

/// Why a sentence is not believed.
#[derive(Debug, Clone, PartialEq)]
pub enum Doubt {
    /// The decoder found no way through the grammar.
    NothingFits,
    /// It did, but other sounds fit much better.
    Misfit { text: String, doubt: f64 },
}

/// What a grammar heard, to be judged at first sight or, for more work, beside the phones.
pub struct Sentence<'a> {
    segments: &'a [Segment],
    text: String,
    frames: usize,
}

impl<'a> Sentence<'a> {
    pub fn new(segments: &'a [Segment]) -> Result<Self, Doubt> {
        let words = || segments.iter().filter(|segment| is_word(segment));
        let frames = words().map(length).sum();
        if frames == 0 {
            return Err(Doubt::NothingFits);
        }
        let spelled =
            |segment: &'a Segment| segment.word.split_once('(').map_or(segment.word.as_str(), |(word, _)| word);
        let text = words().map(spelled).collect::<Vec<_>>().join(" ");
        Ok(Self { segments, text, frames })
    }

    /// The verdict, where the words' score alone is clear enough.
    pub fn at_first_sight(&self) -> Option<Result<String, Doubt>> {
        let words = self.segments.iter().filter(|segment| is_word(segment));
        let score = -words.map(|word| f64::from(word.score)).sum::<f64>() / self.frames as f64;
        tracing::debug!(self.text, score, "first sight");
        if score <= CLEARLY_GOOD {
            return Some(Ok(self.text.clone()));
        }
        (score >= CLEARLY_BAD).then(|| Err(Doubt::Misfit { text: self.text.clone(), doubt: score }))
    }

    /// The verdict beside `heard`, the best free phones of the same utterance.
    pub fn beside(&self, heard: &[Segment], phones: &Phones) -> Result<String, Doubt> {
        let free = frame_scores(heard);
        let mut behind = 0.0;
        let mut by_word = Vec::new();
        for segment in self.segments.iter().filter(|segment| segment.word != NO_WORD) {
            let best: f64 = free.iter().skip(segment.first_frame).take(length(segment)).sum();
            let difference = best - f64::from(segment.score);
            // Speech taken for silence counts against the sentence; silence taken for silence not in its favour.
            behind += if is_word(segment) { difference } else { difference.max(0.0) };
            if is_word(segment) && length(segment) >= WORD_FRAMES {
                by_word.push(difference / length(segment) as f64);
            }
        }
        let behind = behind / self.frames as f64;
        by_word.sort_by(|a, b| b.total_cmp(a));
        by_word.truncate(2);
        let worst = by_word.iter().sum::<f64>() / by_word.len().max(1) as f64;
        let strange = distance(&spoken(heard), &self.expected(phones));
        let doubt =
            behind + WORDS_WEIGHT * (worst - WORDS_BEHIND).max(0.0) + STRANGE_WEIGHT * (strange - STRANGE).max(0.0);
        tracing::debug!(self.text, doubt, behind, worst, strange, "heard");
        if doubt > MAX_DOUBT {
            return Err(Doubt::Misfit { text: self.text.clone(), doubt });
        }
        Ok(self.text.clone())
    }

    /// The phones of its words.
    fn expected<'p>(&self, phones: &'p Phones) -> Vec<&'p str> {
        let words = self.segments.iter().filter_map(|segment| phones.get(&segment.word));
        words.flatten().map(String::as_str).collect()
    }
}

/// A step of the grammar without a sound.
const NO_WORD: &str = "(NULL)";

/// No silence and no noise: `<sil>`, `[NOISE]`, `+SPN+`.
fn is_word(segment: &Segment) -> bool {
    segment.word != NO_WORD && !segment.word.starts_with(['<', '[', '+'])
}

fn length(segment: &Segment) -> usize {
    segment.last_frame.saturating_sub(segment.first_frame) + 1
}

/// The phones without the pauses and noises between them.
fn spoken(phones: &[Segment]) -> Vec<&str> {
    phones.iter().map(|phone| phone.word.as_str()).filter(|name| *name != "SIL" && !name.starts_with('+')).collect()
}

/// Each phone's score, spread over its frames.
fn frame_scores(phones: &[Segment]) -> Vec<f64> {
    let mut scores = Vec::new();
    for phone in phones {
        scores.resize(phone.first_frame.max(scores.len()), 0.0);
        scores.extend(std::iter::repeat_n(f64::from(phone.score) / length(phone) as f64, length(phone)));
    }
    scores
}

#[cfg(test)]
mod tests;
