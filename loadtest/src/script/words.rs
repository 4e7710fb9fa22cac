//! Matching of spoken words: case, punctuation and spacing do not count, whole words do.
//! Sound-alikes are not forgiven; a script names the alternatives it accepts.

use serde::Deserialize;

/// Words that must follow each other in a text; alternatives are separated by `|` (`"nine|9"`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Phrase {
    written: String,
    alternatives: Vec<Vec<String>>,
}

// === impl Phrase ===

impl Phrase {
    pub fn is_in(&self, text: &str) -> bool {
        let words = words(text);
        self.alternatives
            .iter()
            .any(|wanted| wanted.is_empty() || words.windows(wanted.len()).any(|window| window == wanted))
    }

    /// As the script has it.
    pub fn written(&self) -> &str {
        &self.written
    }
}

impl From<String> for Phrase {
    fn from(written: String) -> Self {
        let alternatives = written.split('|').map(words).collect();
        Self { written, alternatives }
    }
}

/// Lower-case words; an apostrophe is part of its word.
fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}
