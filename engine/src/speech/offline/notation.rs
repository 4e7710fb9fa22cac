//! The notation of phrases: `are you open [on] (monday | tuesday) <digits>`, read into a tree.
//! What a phrase means and how it is listened for is not here: see `agent_file` and `grammar`.

use std::fmt;

use thiserror::Error;

/// A phrase: what a caller may say, with choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phrase {
    /// A word, lower case.
    Word(String),
    /// `<name>`: one of the phrases of a slot.
    Slot(String),
    /// One after the other.
    Sequence(Vec<Phrase>),
    /// `(one | other)`.
    Choice(Vec<Phrase>),
    /// `[perhaps]`.
    Optional(Box<Phrase>),
}

/// Why a phrase cannot be read. `column` counts characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("at character {column}: {reason}")]
pub struct NotationError {
    pub column: usize,
    pub reason: String,
}

/// How deep brackets may be nested.
const MAX_DEPTH: usize = 16;

impl Phrase {
    /// Reads a phrase. Capitals and the marks `. , ? ! ; :` are ignored.
    pub fn parse(text: &str) -> Result<Self, NotationError> {
        let mut reader = Reader { characters: text.chars().collect(), at: 0 };
        let phrase = reader.choice(0)?;
        match reader.peek() {
            None if phrase.accepts_silence() => {
                Err(reader.error("a phrase needs at least one word that must be said, not only [optional] ones"))
            }
            None => Ok(phrase),
            Some(c) => Err(reader.error(format!("'{c}' without its opening bracket"))),
        }
    }

    fn accepts_silence(&self) -> bool {
        match self {
            Self::Word(_) | Self::Slot(_) => false,
            Self::Optional(_) => true,
            Self::Sequence(parts) => parts.iter().all(Self::accepts_silence),
            Self::Choice(parts) => parts.iter().any(Self::accepts_silence),
        }
    }

    /// Calls `each` with every word and every slot's name.
    pub fn visit<'a>(&'a self, each: &mut impl FnMut(Leaf<'a>)) {
        match self {
            Self::Word(word) => each(Leaf::Word(word)),
            Self::Slot(name) => each(Leaf::Slot(name)),
            Self::Sequence(parts) | Self::Choice(parts) => parts.iter().for_each(|part| part.visit(each)),
            Self::Optional(part) => part.visit(each),
        }
    }
}

/// What a phrase is made of in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaf<'a> {
    Word(&'a str),
    Slot(&'a str),
}

/// The notation again, normalised: reading it gives the same phrase.
impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, parts: &[Self], between: &str| {
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    f.write_str(between)?;
                }
                write!(f, "{part}")?;
            }
            Ok(())
        };
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Slot(name) => write!(f, "<{name}>"),
            Self::Sequence(parts) => list(f, parts, " "),
            Self::Choice(parts) => {
                f.write_str("(")?;
                list(f, parts, " | ")?;
                f.write_str(")")
            }
            Self::Optional(part) => match part.as_ref() {
                Self::Choice(parts) => {
                    f.write_str("[")?;
                    list(f, parts, " | ")?;
                    f.write_str("]")
                }
                part => write!(f, "[{part}]"),
            },
        }
    }
}

struct Reader {
    characters: Vec<char>,
    at: usize,
}

impl Reader {
    fn error(&self, reason: impl Into<String>) -> NotationError {
        NotationError { column: self.at + 1, reason: reason.into() }
    }

    /// The next character that means anything.
    fn peek(&mut self) -> Option<char> {
        while let Some(&c) = self.characters.get(self.at) {
            if !c.is_whitespace() && !".,?!;:".contains(c) {
                return Some(c);
            }
            self.at += 1;
        }
        None
    }

    fn choice(&mut self, depth: usize) -> Result<Phrase, NotationError> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("brackets nested deeper than {MAX_DEPTH}")));
        }
        let mut choices = vec![self.sequence(depth)?];
        while self.peek() == Some('|') {
            self.at += 1;
            choices.push(self.sequence(depth)?);
        }
        Ok(if choices.len() == 1 { choices.remove(0) } else { Phrase::Choice(choices) })
    }

    fn sequence(&mut self, depth: usize) -> Result<Phrase, NotationError> {
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                '|' | ')' | ']' => break,
                '(' => parts.push(self.bracketed(')', depth)?),
                '[' => parts.push(Phrase::Optional(Box::new(self.bracketed(']', depth)?))),
                '<' => parts.push(self.slot()?),
                _ => parts.push(self.word()?),
            }
        }
        match parts.len() {
            0 => Err(self.error("a word is missing here")),
            1 => Ok(parts.remove(0)),
            _ => Ok(Phrase::Sequence(parts)),
        }
    }

    fn bracketed(&mut self, close: char, depth: usize) -> Result<Phrase, NotationError> {
        self.at += 1;
        let inside = self.choice(depth + 1)?;
        if self.peek() != Some(close) {
            return Err(self.error(format!("'{close}' is missing")));
        }
        self.at += 1;
        Ok(inside)
    }

    fn slot(&mut self) -> Result<Phrase, NotationError> {
        self.at += 1;
        let name = self.take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if name.is_empty() || self.characters.get(self.at) != Some(&'>') {
            return Err(self.error("a slot is written <name>: lower case letters, digits and _"));
        }
        self.at += 1;
        Ok(Phrase::Slot(name))
    }

    fn word(&mut self) -> Result<Phrase, NotationError> {
        let word = self.take_while(|c| c.is_ascii_alphabetic() || c == '\'').to_ascii_lowercase();
        if word.chars().any(|c| c != '\'') {
            return Ok(Phrase::Word(word));
        }
        let found = self.characters.get(self.at).copied().unwrap_or('\'');
        Err(self.error(if found.is_ascii_digit() {
            format!("numbers are written as they are said (\"two\", not \"2\"), found '{found}'")
        } else {
            format!("'{found}' is neither a letter nor one of [ ] ( ) | < >")
        }))
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> String {
        let rest = self.characters.get(self.at..).unwrap_or_default();
        let taken: String = rest.iter().take_while(|c| keep(**c)).collect();
        self.at += taken.chars().count();
        taken
    }
}

#[cfg(test)]
mod tests;
