//! What is tried in a call each: the labelled set of recordings and sounds, always the same.
//! The recordings are Debian's (`recordings`); what is measured with them is `scene`'s.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;
use thiserror::Error;

use crate::recordings::{self, Recording};
use crate::sounds;
use crate::voice::Utterance;

/// Pauses inside a sentence, ms.
const PAUSES_MS: [u64; 4] = [300, 450, 600, 800];

/// How long the agent has spoken when it is interrupted, ms.
const SPOKEN_MS: [u64; 2] = [300, 2900];

/// The same where a word is said in passing.
const SPOKEN_BEFORE_WORD_MS: [u64; 3] = [700, 2600, 5100];

/// Shorter speech is no interruption.
const INTERRUPTION_MS: usize = 700;

/// One of the files, to see whether the packages are there.
const FILES: [(&str, &str); 2] = [
    ("asterisk-core-sounds-en-wav", "/usr/share/asterisk/sounds/en_US_f_Allison/all-circuits-busy-now.wav"),
    ("pocketsphinx-testdata", "/usr/share/pocketsphinx/test/data/cards/001.wav"),
];

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A whole sentence: how soon is it answered?
    Answers,
    /// A sentence with a pause in it: is it answered inside?
    Pauses,
    /// A sentence over the agent's voice: how soon does it stop?
    CutIns,
    /// A short word over the agent's voice: does it go on?
    Words,
    /// A noise, a cough, somebody far away over the agent's voice: does it go on?
    Sounds,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Item {
    pub kind: Kind,
    pub name: String,
    /// What the agent is asked first, or all that is said.
    pub question: Utterance,
    /// What is said after the pause, or over the answer.
    pub then: Option<Utterance>,
    /// The pause, or how long the agent has spoken by then.
    pub after: Duration,
    /// How long the agent's answer is when nobody says anything.
    pub reply: Duration,
}

/// The recordings are not installed.
#[derive(Debug, Error)]
#[error("{file} is missing: install {package}")]
pub struct SetMissing {
    package: &'static str,
    file: &'static str,
}

/// All calls of these kinds, at most `most` of each: of more, every n-th.
///
/// # Errors
/// [`SetMissing`] naming the package that has the recordings.
pub fn items(kinds: &[Kind], most: usize) -> Result<Vec<Item>, SetMissing> {
    if let Some((package, file)) = FILES.into_iter().find(|(_, file)| !Path::new(file).exists()) {
        return Err(SetMissing { package, file });
    }
    let sentences = recordings::sentences();
    let question = sentences.get(2).map_or_else(|| Utterance::whole(&[]), |sentence| spoken(&sentence.samples));
    let mut items = Vec::new();
    for kind in kinds {
        let all = match kind {
            Kind::Answers => {
                sentences.iter().map(|s| item(*kind, s.name.clone(), &spoken(&s.samples), None, 0)).collect()
            }
            Kind::Pauses => pauses(),
            Kind::CutIns => cut_ins(&question, &sentences),
            Kind::Words => words(&question),
            Kind::Sounds => all_sounds(&question, &sentences),
        };
        let every = all.len().div_ceil(most.max(1)).max(1);
        items.extend(all.into_iter().step_by(every));
    }
    Ok(items)
}

fn item(kind: Kind, name: String, question: &Utterance, then: Option<Utterance>, after_ms: u64) -> Item {
    let after = Duration::from_millis(after_ms);
    let name = name.rsplit('/').next().unwrap_or(&name).to_owned();
    Item { kind, name, question: question.clone(), then, after, reply: Duration::ZERO }
}

fn pauses() -> Vec<Item> {
    let long = recordings::long_sentences();
    let with_pause = |ms: u64| {
        long.iter().map(move |sentence| {
            let before = sentence.before_a_pause();
            let after = sentence.samples.get(before.len()..).unwrap_or_default();
            item(Kind::Pauses, sentence.name.clone(), &spoken(before), Some(spoken(after)), ms)
        })
    };
    // Each sentence with all its pauses, so that some of them are some of each pause.
    let mut all: Vec<Item> = PAUSES_MS.into_iter().flat_map(with_pause).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn cut_ins(question: &Utterance, sentences: &[Recording]) -> Vec<Item> {
    let long = sentences.iter().filter(|sentence| sentence.ms() >= INTERRUPTION_MS);
    long.flat_map(|sentence| {
        SPOKEN_MS.map(|ms| item(Kind::CutIns, sentence.name.clone(), question, Some(spoken(&sentence.samples)), ms))
    })
    .collect()
}

fn words(question: &Utterance) -> Vec<Item> {
    let words = recordings::words();
    words
        .iter()
        .flat_map(|word| {
            SPOKEN_BEFORE_WORD_MS
                .map(|ms| item(Kind::Words, word.name.clone(), question, Some(spoken(&word.samples)), ms))
        })
        .collect()
}

fn all_sounds(question: &Utterance, sentences: &[Recording]) -> Vec<Item> {
    let sounds = sounds::none_of_them_speech(sentences);
    let each = sounds.into_iter().zip((2000..).step_by(40));
    each.map(|(sound, ms)| item(Kind::Sounds, sound.name, question, Some(spoken(&sound.samples)), ms)).collect()
}

/// The set's recordings are trimmed already.
fn spoken(samples: &[i16]) -> Utterance {
    Utterance::whole(samples)
}

#[cfg(test)]
mod tests;
