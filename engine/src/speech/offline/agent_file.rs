//! An agent as a TOML file: what it says, what it understands, checked when it is read.
//! How a conversation is answered from it is `script`; how its phrases are heard is `ears`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::IgnoredAny;
use thiserror::Error;
use toml::Spanned;

use super::notation::{Leaf, Phrase};
use super::opening_hours::OpeningHours;
use super::template::{self, Template};
use super::voices::Voice;

/// Slots that every file has. `<digits>`: one to sixteen spoken digits. `<day>`: today, tomorrow or `[on] monday` …
pub const BUILT_IN_SLOTS: [&str; 2] = [DIGITS, DAY];
pub const DIGITS: &str = "digits";
pub const DAY: &str = "day";

/// An agent. Everything a caller hears without having asked is here for any speech provider; the intents are what the
/// offline agent understands.
#[derive(Debug, Clone)]
pub struct AgentFile {
    pub name: String,
    /// A flite voice (`kal16`, `rms`, `slt`, `awb`) or a voice of OpenAI's, for which a flite voice stands in.
    pub voice: String,
    /// Said when the call is answered.
    pub greeting: String,
    /// Said one after the other when the caller stays silent.
    pub silence_prompts: Vec<String>,
    /// Said before the agent ends the call by itself, such as after the last silence prompt.
    pub goodbye: String,
    /// Said when a speech provider fails.
    pub fallback: String,
    /// The system prompt for a language model.
    pub instructions: String,
    /// Said when a line was not understood, in turns.
    pub unclear: Vec<String>,
    /// Said when the line after it was not understood either: what the caller can ask.
    pub still_unclear: Vec<String>,
    /// Said once a message was left.
    pub message_taken: Vec<String>,
    /// Where the business is, for the time of day; the machine's own zone if the file names none.
    pub(super) zone: TimeZone,
    pub(super) facts: BTreeMap<String, String>,
    pub(super) opening_hours: OpeningHours,
    pub(super) slots: BTreeMap<String, Vec<Phrase>>,
    /// May come before and after every phrase.
    pub(super) before: Vec<Phrase>,
    pub(super) after: Vec<Phrase>,
    pub(super) intents: Vec<Intent>,
}

/// Something a caller may want, the phrases for it and the replies, used in turns.
#[derive(Debug, Clone)]
pub(super) struct Intent {
    pub(super) phrases: Vec<Phrase>,
    pub(super) replies: Vec<Template>,
    pub(super) then: Then,
}

/// What follows a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Then {
    #[default]
    Listen,
    /// The caller's next line is a message, whatever it is.
    TakeMessage,
    HangUp,
}

/// What is wrong with an agent file. Shows the file, and the line or key with what was expected.
#[derive(Debug, Error)]
pub enum AgentFileError {
    #[error("cannot read the agent file {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: {reason}", path.display())]
    Toml { path: PathBuf, reason: String },
    #[error("{}, line {line}, {key}: {reason}", path.display())]
    Value { path: PathBuf, line: usize, key: String, reason: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    voice: Spanned<String>,
    greeting: String,
    silence_prompts: Vec<String>,
    goodbye: String,
    fallback: String,
    instructions: String,
    unclear: Spanned<Vec<String>>,
    still_unclear: Spanned<Vec<String>>,
    message_taken: Spanned<Vec<String>>,
    #[serde(default)]
    timezone: Option<Spanned<String>>,
    #[serde(default)]
    before: Vec<Spanned<String>>,
    #[serde(default)]
    after: Vec<Spanned<String>>,
    #[serde(default)]
    facts: BTreeMap<Spanned<String>, String>,
    #[serde(default)]
    opening_hours: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    slots: BTreeMap<Spanned<String>, Vec<Spanned<String>>>,
    intents: Vec<RawIntent>,
    // What the engine reads of the same file (`control::agent`).
    #[serde(default, rename = "pipeline")]
    _pipeline: IgnoredAny,
    #[serde(default, rename = "numbers")]
    _numbers: IgnoredAny,
    #[serde(default, rename = "max_call_s")]
    _max_call_s: IgnoredAny,
    #[serde(default, rename = "silence_after_ms")]
    _silence_after_ms: IgnoredAny,
    #[serde(default, rename = "endpointing_ms")]
    _endpointing_ms: IgnoredAny,
    #[serde(default, rename = "endpointing_unknown_ms")]
    _endpointing_unknown_ms: IgnoredAny,
    #[serde(default, rename = "endpointing_unfinished_ms")]
    _endpointing_unfinished_ms: IgnoredAny,
    #[serde(default, rename = "speculation_per_turn")]
    _speculation_per_turn: IgnoredAny,
    #[serde(default, rename = "speculation_per_call")]
    _speculation_per_call: IgnoredAny,
    #[serde(default, rename = "interruptible")]
    _interruptible: IgnoredAny,
    #[serde(default, rename = "rtp_timeout_s")]
    _rtp_timeout_s: IgnoredAny,
    #[serde(default, rename = "noise_suppression")]
    _noise_suppression: IgnoredAny,
    #[serde(default, rename = "hold_timeout_s")]
    _hold_timeout_s: IgnoredAny,
    #[serde(default, rename = "keep_voice")]
    _keep_voice: IgnoredAny,
    #[serde(default, rename = "chat_provider")]
    _chat_provider: IgnoredAny,
    #[serde(default, rename = "replies")]
    _replies: IgnoredAny,
    #[serde(default, rename = "tools")]
    _tools: IgnoredAny,
    #[serde(default, rename = "mcp")]
    _mcp: IgnoredAny,
    #[serde(default, rename = "transfer_to")]
    _transfer_to: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIntent {
    name: Spanned<String>,
    phrases: Vec<Spanned<String>>,
    replies: Vec<Spanned<String>>,
    #[serde(default)]
    then: Then,
}

impl AgentFile {
    pub fn load(path: &Path) -> Result<Self, AgentFileError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| AgentFileError::Read { path: path.to_path_buf(), source })?;
        Self::parse(&text, path)
    }

    /// Reads an agent from `text`; `path` is named in errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self, AgentFileError> {
        let raw: Raw = toml::from_str(text)
            .map_err(|e| AgentFileError::Toml { path: path.to_path_buf(), reason: e.to_string() })?;
        Check { text, path }.agent(raw)
    }
}

/// Turns what TOML gave into an agent; knows the text, to say in which line something is wrong.
struct Check<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Check<'_> {
    fn error<T>(&self, at: &Spanned<T>, key: &str, reason: impl ToString) -> AgentFileError {
        let before = self.text.get(..at.span().start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        AgentFileError::Value { path: self.path.to_path_buf(), line, key: key.to_owned(), reason: reason.to_string() }
    }

    fn agent(&self, raw: Raw) -> Result<AgentFile, AgentFileError> {
        if Voice::named(raw.voice.get_ref()).is_none() {
            let reason = format!("no voice \"{}\"; there are {}", raw.voice.get_ref(), Voice::names());
            return Err(self.error(&raw.voice, "voice", reason));
        }
        let lists =
            [("unclear", &raw.unclear), ("still_unclear", &raw.still_unclear), ("message_taken", &raw.message_taken)];
        for (key, list) in lists {
            if list.get_ref().is_empty() {
                return Err(self.error(list, key, "at least one sentence is expected"));
            }
        }
        let zone = match &raw.timezone {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name.get_ref()).map_err(|e| self.error(name, "timezone", e))?,
        };
        let facts = self.facts(raw.facts)?;
        let mut opening_hours = OpeningHours::default();
        for (day, hours) in &raw.opening_hours {
            opening_hours
                .set(day.get_ref(), hours.get_ref())
                .map_err(|e| self.error(hours, &format!("opening_hours.{}", day.get_ref()), e))?;
        }
        let slots = self.slots(&raw.slots)?;
        let before = self.phrases("before", &raw.before, &slots)?;
        let after = self.phrases("after", &raw.after, &slots)?;
        let intents = raw
            .intents
            .iter()
            .map(|intent| self.intent(intent, &slots, &facts))
            .collect::<Result<Vec<_>, AgentFileError>>()?;
        if intents.is_empty() {
            let reason = "at least one [[intents]] is expected".to_owned();
            return Err(AgentFileError::Toml { path: self.path.to_path_buf(), reason });
        }
        Ok(AgentFile {
            name: raw.name,
            voice: raw.voice.into_inner(),
            greeting: raw.greeting,
            silence_prompts: raw.silence_prompts,
            goodbye: raw.goodbye,
            fallback: raw.fallback,
            instructions: raw.instructions,
            unclear: raw.unclear.into_inner(),
            still_unclear: raw.still_unclear.into_inner(),
            message_taken: raw.message_taken.into_inner(),
            zone,
            facts,
            opening_hours,
            slots,
            before,
            after,
            intents,
        })
    }

    fn facts(&self, raw: BTreeMap<Spanned<String>, String>) -> Result<BTreeMap<String, String>, AgentFileError> {
        let mut facts = BTreeMap::new();
        for (key, value) in raw {
            if template::BUILT_IN.contains(&key.get_ref().as_str()) {
                let reason = format!("{{{}}} is a variable already; choose another name", key.get_ref());
                return Err(self.error(&key, "facts", reason));
            }
            facts.insert(key.into_inner(), value);
        }
        Ok(facts)
    }

    fn slots(
        &self,
        raw: &BTreeMap<Spanned<String>, Vec<Spanned<String>>>,
    ) -> Result<BTreeMap<String, Vec<Phrase>>, AgentFileError> {
        let mut slots: BTreeMap<String, Vec<Phrase>> = BTreeMap::new();
        for (name, values) in raw {
            let key = format!("slots.{}", name.get_ref());
            let taken = BUILT_IN_SLOTS.contains(&name.get_ref().as_str());
            let well_named = name.get_ref().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if taken || !well_named || template::BUILT_IN.contains(&name.get_ref().as_str()) {
                let reason =
                    if well_named { "this name is built in" } else { "a name is lower case letters, digits and _" };
                return Err(self.error(name, &key, reason));
            }
            if values.is_empty() {
                return Err(self.error(name, &key, "at least one phrase is expected"));
            }
            let phrases = values.iter().map(|value| {
                Phrase::parse(value.get_ref())
                    .map_err(|e| self.error(value, &key, format!("\"{}\" {e}", value.get_ref())))
            });
            slots.insert(name.get_ref().clone(), phrases.collect::<Result<_, _>>()?);
        }
        for (name, values) in raw {
            let key = format!("slots.{}", name.get_ref());
            for (value, phrase) in values.iter().zip(slots.get(name.get_ref()).into_iter().flatten()) {
                self.check_slots(value, &key, phrase, &slots)?;
                if reaches(phrase, name.get_ref(), &slots, slots.len()) {
                    return Err(self.error(value, &key, "a slot cannot contain itself"));
                }
            }
        }
        Ok(slots)
    }

    fn phrases(
        &self,
        key: &str,
        raw: &[Spanned<String>],
        slots: &BTreeMap<String, Vec<Phrase>>,
    ) -> Result<Vec<Phrase>, AgentFileError> {
        raw.iter()
            .map(|text| {
                let phrase = Phrase::parse(text.get_ref())
                    .map_err(|e| self.error(text, key, format!("\"{}\" {e}", text.get_ref())))?;
                self.check_slots(text, key, &phrase, slots)?;
                Ok(phrase)
            })
            .collect()
    }

    fn check_slots(
        &self,
        text: &Spanned<String>,
        key: &str,
        phrase: &Phrase,
        slots: &BTreeMap<String, Vec<Phrase>>,
    ) -> Result<(), AgentFileError> {
        let mut unknown = None;
        phrase.visit(&mut |leaf| {
            if let Leaf::Slot(name) = leaf
                && !BUILT_IN_SLOTS.contains(&name)
                && !slots.contains_key(name)
            {
                unknown = Some(name.to_owned());
            }
        });
        match unknown {
            None => Ok(()),
            Some(name) => Err(self.error(
                text,
                key,
                format!("\"{}\" names <{name}>, which is neither in [slots] nor <digits> or <day>", text.get_ref()),
            )),
        }
    }

    fn intent(
        &self,
        raw: &RawIntent,
        slots: &BTreeMap<String, Vec<Phrase>>,
        facts: &BTreeMap<String, String>,
    ) -> Result<Intent, AgentFileError> {
        let name = raw.name.get_ref();
        let key = |what: &str| format!("intent \"{name}\", {what}");
        for (what, list) in [("phrases", &raw.phrases), ("replies", &raw.replies)] {
            if list.is_empty() {
                return Err(self.error(&raw.name, &key(what), "at least one is expected"));
            }
        }
        let phrases = self.phrases(&key("phrases"), &raw.phrases, slots)?;
        let mut known: Vec<&str> = template::BUILT_IN.to_vec();
        known.extend(facts.keys().map(String::as_str));
        for phrase in &phrases {
            phrase.visit(&mut |leaf| {
                if let Leaf::Slot(slot) = leaf {
                    known.push(slot);
                }
            });
        }
        let replies = raw
            .replies
            .iter()
            .map(|text| {
                Template::parse(text.get_ref(), &known)
                    .map_err(|e| self.error(text, &key("replies"), format!("\"{}\": {e}", text.get_ref())))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Intent { phrases, replies, then: raw.then })
    }
}

/// Whether the slot `target` is used within `phrase`, through other slots too. `steps` ends it where slots run in circles.
fn reaches(phrase: &Phrase, target: &str, slots: &BTreeMap<String, Vec<Phrase>>, steps: usize) -> bool {
    let mut found = false;
    phrase.visit(&mut |leaf| {
        if let Leaf::Slot(name) = leaf {
            found = found
                || name == target
                || (steps > 0
                    && slots.get(name).is_some_and(|inner| inner.iter().any(|p| reaches(p, target, slots, steps - 1))));
        }
    });
    found
}

#[cfg(test)]
mod tests;
