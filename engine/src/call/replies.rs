//! Answers that need no model: what the agent says to lines its settings foresee.
//! When a line is to be answered is the conversation's business.

use serde::Deserialize;
use thiserror::Error;

/// Questions, and what is said to each of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Reply {
    questions: Vec<Vec<Word>>,
    pub text: String,
}

/// A reply as it is written down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    questions: Vec<String>,
    text: String,
}

/// What a question has in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    One(String),
    /// `*`: any words, or none.
    Any,
}

/// A reply that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplyError {
    #[error("a reply to no questions: {text:?}")]
    NoQuestions { text: String },
    #[error("question {question:?} has no words")]
    NoWords { question: String },
    #[error("the reply to {question:?} is empty")]
    NoText { question: String },
}

// === impl Reply ===

impl Reply {
    /// `questions` are the caller's whole lines; case and marks do not count, and `*` stands for any words.
    ///
    /// # Errors
    /// [`ReplyError`] if there is nothing to answer, or to say.
    pub fn new(questions: &[String], text: String) -> Result<Self, ReplyError> {
        let Some(first) = questions.first() else { return Err(ReplyError::NoQuestions { text }) };
        if text.trim().is_empty() {
            return Err(ReplyError::NoText { question: first.clone() });
        }
        let questions = questions.iter().map(|question| {
            let words: Vec<Word> = question.split_whitespace().filter_map(Word::new).collect();
            let has_words = words.iter().any(|word| *word != Word::Any);
            has_words.then_some(words).ok_or_else(|| ReplyError::NoWords { question: question.clone() })
        });
        Ok(Self { questions: questions.collect::<Result<_, _>>()?, text })
    }

    /// Is it the answer to this line of the caller's?
    pub fn answers(&self, line: &str) -> bool {
        let line: Vec<String> = line.split_whitespace().map(plain).filter(|word| !word.is_empty()).collect();
        self.questions.iter().any(|question| fits(question, &line))
    }

    /// The same questions, answered by another text.
    pub fn saying(&self, text: String) -> Self {
        Self { questions: self.questions.clone(), text }
    }
}

impl TryFrom<Fields> for Reply {
    type Error = ReplyError;

    fn try_from(Fields { questions, text }: Fields) -> Result<Self, ReplyError> {
        Self::new(&questions, text)
    }
}

// === impl Word ===

impl Word {
    fn new(word: &str) -> Option<Self> {
        if word == "*" {
            return Some(Self::Any);
        }
        Some(plain(word)).filter(|word| !word.is_empty()).map(Self::One)
    }
}

/// Letters and digits in small letters: "What's" and "whats" are the same.
fn plain(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Does the line have the question's words, and others only where it has a `*`?
fn fits(question: &[Word], line: &[String]) -> bool {
    let (mut at, mut in_line) = (0, 0);
    // The last `*`, and where what comes after it was looked for.
    let mut star = None;
    while let Some(word) = line.get(in_line) {
        match question.get(at) {
            Some(Word::Any) => {
                star = Some((at, in_line));
                at += 1;
            }
            Some(Word::One(wanted)) if wanted == word => {
                at += 1;
                in_line += 1;
            }
            _ => {
                let Some((any, from)) = star else { return false };
                star = Some((any, from + 1));
                (at, in_line) = (any + 1, from + 1);
            }
        }
    }
    question.iter().skip(at).all(|word| *word == Word::Any)
}

#[cfg(test)]
mod tests;
