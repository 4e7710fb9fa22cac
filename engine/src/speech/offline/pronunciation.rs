//! How words sound, in the phones of the acoustic model: from the CMU dictionary, else by flite's rules.
//! Only the words a grammar needs are kept, which keeps a decoder small.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::flite::{Flite, FliteError};
use super::grammar::Grammar;

/// A word as the dictionary spells it, `to` or `to(2)`, and its phones, `T UW`.
pub type Pronunciation = (String, String);

const PHONES: [&str; 39] = [
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
];

#[derive(Debug, Error)]
pub enum PronunciationError {
    #[error("cannot read the dictionary {}: {source}; install the Debian package pocketsphinx-en-us", path.display())]
    Dictionary { path: PathBuf, source: std::io::Error },
    #[error("nobody knows how the word \"{word}\" of the phrase \"{phrase}\" sounds: flite made \"{phones}\" of it")]
    Unpronounceable { word: String, phrase: String, phones: String },
    #[error("the sound of the word \"{word}\" of the phrase \"{phrase}\": {source}")]
    Flite { word: String, phrase: String, source: FliteError },
}

/// The pronunciations of all words of `grammar`.
pub async fn pronounce(
    grammar: &Grammar,
    dictionary: &Path,
    flite: &Flite,
) -> Result<Vec<Pronunciation>, PronunciationError> {
    let mut found = look_up(grammar, dictionary)
        .map_err(|source| PronunciationError::Dictionary { path: dictionary.to_path_buf(), source })?;
    for (word, phrase) in &grammar.words {
        if found.contains_key(word) {
            continue;
        }
        let named = || (word.clone(), phrase.clone());
        let phones = flite.phones(word).await.map_err(|source| {
            let (word, phrase) = named();
            PronunciationError::Flite { word, phrase, source }
        })?;
        let Some(translated) = translate(&phones) else {
            let (word, phrase) = named();
            return Err(PronunciationError::Unpronounceable { word, phrase, phones });
        };
        tracing::info!(word, phones = translated, "word is not in the dictionary, its sound is a guess");
        found.insert(word.clone(), translated);
    }
    Ok(found.into_iter().collect())
}

/// The lines of the dictionary whose word, or variant `word(2)`, is in the grammar.
fn look_up(grammar: &Grammar, dictionary: &Path) -> std::io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for line in BufReader::new(std::fs::File::open(dictionary)?).lines() {
        let line = line?;
        let Some((entry, phones)) = line.split_once(' ') else { continue };
        let word = entry.split_once('(').map_or(entry, |(word, _)| word);
        if grammar.words.contains_key(word) {
            found.insert(entry.to_owned(), phones.trim().to_owned());
        }
    }
    Ok(found)
}

/// flite's phones as the model's: the same set, but for the schwa and the pauses.
fn translate(flite: &str) -> Option<String> {
    let mut phones = Vec::new();
    for phone in flite.split_whitespace().filter(|phone| *phone != "pau") {
        let upper = match phone {
            "ax" => "AH".to_owned(),
            phone => phone.trim_end_matches(|c: char| c.is_ascii_digit()).to_ascii_uppercase(),
        };
        phones.push(PHONES.iter().find(|known| **known == upper)?.to_string());
    }
    if phones.is_empty() { None } else { Some(phones.join(" ")) }
}

#[cfg(test)]
mod tests;
