//! Streamed text to speakable sentences, each as early as it can be told that it is one.
//! Pure text: what speaks them and when is decided elsewhere.

/// A sentence shorter than this waits for the next: "Yes." alone is a request to the provider for half a second of
/// speech, and sounds cut from what follows. Characters.
const SHORTEST: usize = 12;
/// Text without an end is cut at a comma or a space before it grows longer than this, characters. About 12 s of speech.
const LONGEST: usize = 200;
/// The very first piece may end at a comma from this length on, characters: the voice begins while the rest of the
/// sentence is still being written.
const FIRST_CLAUSE: usize = 24;
/// A comma nearer to the start than this is no place to cut.
const SHORTEST_CUT: usize = 60;

/// Words whose full stop ends no sentence, in lower case and without it.
const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "sr", "jr", "st", "vs", "etc", "no", "nr", "approx", "dept", "ext", "fig", "inc",
    "ltd", "co", "mt", "ave", "blvd", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov",
    "dec", "mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun", "e.g", "i.e", "z.b", "d.h", "u.s",
];

/// Abbreviations that may well stand at the end of a sentence: the next word decides.
const AMBIGUOUS: &[&str] = &["a.m", "p.m", "etc", "inc", "ltd", "co", "u.s", "jr", "sr", "st", "ave", "blvd", "no"];

/// Collects pieces of text and gives back whole sentences. Nothing is lost or reordered; only white space at the
/// sentences' ends is dropped.
#[derive(Debug, Clone, Default)]
pub struct SentenceSplitter {
    pending: String,
    /// A piece was given.
    begun: bool,
}

// === impl SentenceSplitter ===

impl SentenceSplitter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a piece and returns the sentences that are complete with it.
    pub fn push(&mut self, text: &str) -> Vec<String> {
        self.pending.push_str(text);
        let mut sentences = Vec::new();
        while let Some(end) = self.next_end() {
            self.begun = true;
            let rest = self.pending.split_off(end);
            let sentence = std::mem::replace(&mut self.pending, rest);
            sentences.extend(speakable(&sentence));
        }
        sentences
    }

    /// Returns what has come of the next piece, in whole words, if it is enough to begin with: for a voice that does not
    /// wait for its text.
    pub fn take_words(&mut self) -> Option<String> {
        let end = self.pending.trim_end().rfind(char::is_whitespace)?;
        if self.pending.get(..end)?.trim().chars().count() < FIRST_CLAUSE {
            return None;
        }
        let rest = self.pending.split_off(end);
        speakable(&std::mem::replace(&mut self.pending, rest))
    }

    /// Returns what is left when no more text will come.
    pub fn flush(&mut self) -> Option<String> {
        speakable(&std::mem::take(&mut self.pending))
    }

    /// Byte index after the first piece to be spoken, if enough of the text has come to tell.
    fn next_end(&self) -> Option<usize> {
        let clause = if self.begun { None } else { clause_end(&self.pending) };
        match (clause, next_end(&self.pending)) {
            (Some(clause), Some(end)) => Some(clause.min(end)),
            (clause, end) => clause.or(end),
        }
    }

    /// True if nothing waits for more text.
    pub fn is_empty(&self) -> bool {
        self.pending.trim().is_empty()
    }
}

fn speakable(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Byte index after the first clause that is long enough to begin with.
fn clause_end(text: &str) -> Option<usize> {
    let following = text.char_indices().skip(1).map(|(_, c)| c);
    let marks = text.char_indices().zip(following).enumerate().skip(FIRST_CLAUSE);
    marks
        .take_while(|(position, _)| *position < LONGEST)
        .find(|(_, ((_, c), next))| matches!(c, ',' | ':' | '–' | '—') && next.is_whitespace())
        .map(|(_, ((index, c), _))| index + c.len_utf8())
}

/// The same, after whole sentences or a forced cut only.
fn next_end(text: &str) -> Option<usize> {
    let limit = text.char_indices().nth(LONGEST).map(|(limit, _)| limit);
    match (sentence_end(text), limit) {
        (Some(end), Some(limit)) if end > limit => Some(forced_end(text, limit)),
        (Some(end), _) => Some(end),
        (None, Some(limit)) => Some(forced_end(text, limit)),
        (None, None) => None,
    }
}

/// Byte index after the first sentence that is long enough to be spoken on its own.
fn sentence_end(text: &str) -> Option<usize> {
    let mut length = 0;
    for (index, c) in text.char_indices() {
        length += 1;
        let end = index + c.len_utf8();
        let ends = match c {
            '\n' => true,
            '。' | '！' | '？' => true,
            '.' | '!' | '?' | ';' | '…' => ends_sentence(text, index, end),
            _ => false,
        };
        if ends && (length >= SHORTEST || c == '\n') {
            let end = end + closing_bytes(text.get(end..).unwrap_or_default());
            if text.get(..end).is_some_and(|sentence| !sentence.trim().is_empty()) {
                return Some(end);
            }
        }
    }
    None
}

/// Does the mark at `index..end` end a sentence? Only said once the white space after it has come.
fn ends_sentence(text: &str, index: usize, end: usize) -> bool {
    let before = text.get(..index).unwrap_or_default();
    let mark = text.get(index..end).unwrap_or_default();
    let after = text.get(end..).unwrap_or_default();
    let after = after.get(closing_bytes(after)..).unwrap_or_default();
    // Inside "3.5", "example.com", "?!", "..." and wherever else the text goes on without a space.
    if !after.starts_with(char::is_whitespace) {
        return false;
    }
    if mark != "." {
        return true;
    }
    let word = last_word(before).to_lowercase();
    // What has come of the next word; empty while only white space has.
    let next = after.trim_start();
    if AMBIGUOUS.contains(&word.as_str()) {
        return next.starts_with(char::is_uppercase);
    }
    if ABBREVIATIONS.contains(&word.as_str()) {
        return false;
    }
    // An initial, as in "J. Smith"; but "I" and numbers at a sentence's end are common.
    let mut letters = word.chars();
    let single_letter = letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none();
    // "1. Open the door": the number of a list's entry.
    let list_number = before.trim_start().chars().all(|c| c.is_ascii_digit()) && !before.trim().is_empty();
    !(list_number || single_letter && word != "i")
}

/// The characters since the last white space or opening mark.
fn last_word(before: &str) -> &str {
    before.rsplit(|c: char| c.is_whitespace() || "(\"'“‘[".contains(c)).next().unwrap_or_default()
}

/// Quotes and brackets that belong to the sentence before them.
fn closing_bytes(after: &str) -> usize {
    after.chars().take_while(|c| "\"')]”’»".contains(*c)).map(char::len_utf8).sum()
}

/// Where to cut text that has grown too long without an end: after the last comma or the like, else after the last
/// space, else right at `limit` (a byte index).
fn forced_end(text: &str, limit: usize) -> usize {
    let candidates = text.get(..limit).unwrap_or(text);
    let after_mark = candidates
        .char_indices()
        .zip(candidates.char_indices().skip(1))
        .enumerate()
        .filter(|(position, ((_, c), (_, next)))| {
            *position >= SHORTEST_CUT && matches!(c, ',' | ':' | '–' | '—') && next.is_whitespace()
        })
        .map(|(_, ((index, c), _))| index + c.len_utf8())
        .last();
    after_mark.or_else(|| candidates.rfind(char::is_whitespace).filter(|space| *space > 0)).unwrap_or(limit)
}

#[cfg(test)]
mod tests;
