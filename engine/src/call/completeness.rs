//! Does the caller's line so far sound finished? Told by its last words, its punctuation and what the agent had asked.
//! How long is waited for more is `endpointing`'s business.

/// What the words so far say about the caller going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// A whole sentence, or the kind of answer that was asked for.
    Finished,
    /// Nothing speaks for either.
    Open,
    /// More is to come: it ends in a comma, a filler, a preposition.
    Unfinished,
}

/// The kind of answer the agent's last line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Anything,
    YesOrNo,
    Name,
    /// Digits; how many, if the agent said so.
    Digits(Option<usize>),
}

/// Whole answers by themselves, with or without a mark.
const ANSWERS: &[&str] = &[
    "yes",
    "yeah",
    "yep",
    "yup",
    "no",
    "nope",
    "nah",
    "okay",
    "ok",
    "sure",
    "right",
    "correct",
    "exactly",
    "absolutely",
    "fine",
    "great",
    "perfect",
    "hello",
    "hi",
    "thanks",
    "bye",
    "goodbye",
    "please",
    "stop",
    "wait",
    "ja",
    "nein",
    "doch",
    "genau",
    "danke",
    "tschüss",
    "oui",
    "non",
    "si",
    "sí",
];

/// Words of such an answer that may stand around it: "yes please", "no thank you".
const AROUND_ANSWERS: &[&str] = &["thank", "you", "that's", "it", "is", "of", "course", "very", "much", "good", "all"];

/// Words that no sentence ends in.
const DANGLING: &[&str] = &[
    // fillers
    "um", "uh", "er", "erm", "hmm", "hm", "mm", "äh", "ähm", "euh", "like", "well", "so", // conjunctions
    "and", "or", "but", "because", "if", "when", "while", "although", "unless", "until", "than", "then", "whether",
    "und", "oder", "aber", "weil", "dass", "wenn", "et", "ou", "mais", "que",
    // prepositions that are seldom last
    "of", "from", "with", "without", "into", "onto", "at", "between", "during", "against", "towards", "through",
    "about", "for", "to", "by", "via", "per", "mit", "von", "für", "zu", "bei", "de", "du", "avec", "pour",
    // articles and what stands before a noun
    "a", "an", "the", "my", "your", "his", "its", "our", "their", "this", "these", "some", "any", "every", "each",
    "very", "der", "die", "das", "den", "dem", "ein", "eine", "einen", "mein", "meine", "le", "la", "les", "un", "une",
    // what stands before a verb or its object
    "i", "we", "they", "he", "she", "who", "which", "is", "are", "was", "were", "am", "be", "been", "will", "would",
    "could", "should", "can", "cannot", "may", "might", "must", "shall", "has", "have", "had", "does", "did", "do",
    "want", "need", "i'd", "i'm", "i'll", "i've", "we'd", "we're", "we'll", "it's", "there's", "let's", "please",
    "ich", "wir", "ist", "sind", "habe", "möchte", "je", "nous", "est", "not", "number", "followed", "called",
];

/// Endings that look dangling and are whole: "who is it for", "yes I do", "this is where we are".
const WHOLE_QUESTIONS: &[&str] = &["what", "who", "where", "when", "which", "how", "whom"];
const WHOLE_ECHOES: &[&str] = &["do", "did", "does", "am", "is", "are", "was", "have", "can", "could", "will", "would"];

/// Words a question begins with.
const ASKS: &[&str] = &[
    "what", "what's", "who", "who's", "where", "where's", "when", "which", "how", "why", "is", "are", "do", "does",
    "did", "can", "could", "would", "will", "may", "should", "have",
];
/// A question of fewer words may just have begun.
const SHORTEST_QUESTION: usize = 4;

const DIGITS: &[&str] = &[
    "zero", "oh", "o", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
];

/// A telephone number has at least so many digits.
const DIGITS_OF_A_NUMBER: usize = 7;

/// Longest answer that is taken for a name, words.
const LONGEST_NAME: usize = 6;

/// What the words so far say, the agent having asked for `expected`.
pub fn judge(text: &str, expected: Expected) -> Completeness {
    let text = text.trim();
    if text.ends_with(',') || text.ends_with('…') || text.ends_with("...") || text.ends_with(['-', '–', '—']) {
        return Completeness::Unfinished;
    }
    let marked = text.ends_with(['.', '?', '!', '。', '？', '！']);
    let words: Vec<String> = text.split_whitespace().map(plain).filter(|word| !word.is_empty()).collect();
    let Some(last) = words.last() else { return Completeness::Open };
    if let Expected::Digits(count) = expected
        && let Some(said) = digits(&words)
    {
        return digits_said(said, count);
    }
    if is_answer(&words) {
        return Completeness::Finished;
    }
    if dangles(&words, last, text.ends_with('?')) {
        return Completeness::Unfinished;
    }
    match expected {
        // Not every provider writes marks; a question shows by its first word.
        _ if is_question(&words, last) => Completeness::Finished,
        Expected::Name if words.len() <= LONGEST_NAME => Completeness::Finished,
        _ if marked => Completeness::Finished,
        _ => Completeness::Open,
    }
}

/// What the agent's last line asks for.
pub fn expected_after(agent_line: &str) -> Expected {
    let line = agent_line.to_lowercase();
    let asks = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if asks(&["digit", "number", "code", " pin", "extension", "date of birth"])
        && asks(&["enter", "what", "tell me", "give me", "say", "may i have", "could i have", "your"])
    {
        return Expected::Digits(count_asked(&line));
    }
    if asks(&["your name", "who is calling", "who am i speaking"]) {
        return Expected::Name;
    }
    let last = line.rsplit(['.', '!']).map(str::trim).find(|part| !part.is_empty()).unwrap_or_default();
    let opens =
        ["is ", "are ", "do ", "does ", "did ", "can ", "could ", "shall ", "should ", "would ", "will ", "was "];
    if last.ends_with('?') && opens.iter().any(|word| last.starts_with(word)) {
        return Expected::YesOrNo;
    }
    Expected::Anything
}

fn plain(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase().replace('’', "'")
}

fn is_answer(words: &[String]) -> bool {
    words.len() <= 4
        && words.iter().any(|word| ANSWERS.contains(&word.as_str()))
        && words.iter().all(|word| {
            let word = word.as_str();
            ANSWERS.contains(&word) || AROUND_ANSWERS.contains(&word)
        })
}

fn is_question(words: &[String], last: &str) -> bool {
    words.len() >= SHORTEST_QUESTION && last != "me" && words.first().is_some_and(|word| ASKS.contains(&word.as_str()))
}

fn dangles(words: &[String], last: &str, question: bool) -> bool {
    if !DANGLING.contains(&last) {
        return false;
    }
    let first = words.first().map_or("", String::as_str);
    let before = words.iter().rev().nth(1).map_or("", String::as_str);
    // "who is it for", "what is it about": the question's word stands in front.
    let whole_question = words.len() >= 3 && (question || WHOLE_QUESTIONS.contains(&first));
    // "yes I do", "I think we are".
    let whole_echo =
        WHOLE_ECHOES.contains(&last) && matches!(before, "i" | "we" | "they" | "it" | "you" | "he" | "she");
    let whole = whole_question || (whole_echo && words.len() >= 3 && is_agreement(words));
    let thanks = last == "please" && words.len() >= 2;
    !(whole || thanks)
}

/// Begins like an answer: "yes", "no", "of course".
fn is_agreement(words: &[String]) -> bool {
    words.first().is_some_and(|word| ANSWERS.contains(&word.as_str()) || word == "of")
}

/// Digits in a line that holds nothing else; `None` if it holds anything else.
fn digits(words: &[String]) -> Option<usize> {
    let count = |word: &String| {
        if DIGITS.contains(&word.as_str()) {
            Some(1)
        } else if word.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '.' | '/')) {
            Some(word.chars().filter(char::is_ascii_digit).count())
        } else {
            None
        }
    };
    words.iter().map(count).sum()
}

/// Numbers are said in groups, with pauses between them.
fn digits_said(said: usize, asked: Option<usize>) -> Completeness {
    match asked {
        Some(count) if said >= count => Completeness::Finished,
        Some(_) => Completeness::Unfinished,
        None if said >= DIGITS_OF_A_NUMBER => Completeness::Open,
        None => Completeness::Unfinished,
    }
}

/// "your four-digit code", "the last 4 digits".
fn count_asked(line: &str) -> Option<usize> {
    let words: Vec<&str> = line.split(|c: char| c.is_whitespace() || c == '-').collect();
    let at = words.iter().position(|word| word.starts_with("digit"))?;
    let count = words.get(at.checked_sub(1)?)?;
    count.parse().ok().or_else(|| {
        // "zero" and its two other names stand before "one".
        DIGITS.iter().position(|word| word == count).and_then(|place| place.checked_sub(2))
    })
}

#[cfg(test)]
mod tests;
