//! What a caller says and what it expects to be understood, as a TOML file.
//! Speaking it is `caller::conversation`; comparing it with what happened is `judge`.

pub mod judge;
mod words;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

pub use words::Phrase;

use crate::caller::Prepared;
use crate::voice::{Utterance, VoiceError};

/// The conversation of `make demo`.
pub const DEMO: &str = include_str!("../../scripts/demo.toml");
/// The conversation every caller of a load run repeats.
pub const LOAD: &str = include_str!("../../scripts/load.toml");

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// flite voice of lines that name none.
    #[serde(default = "default_voice")]
    pub voice: String,
    /// Phrases the greeting must contain.
    #[serde(default)]
    pub expect_greeting: Vec<Phrase>,
    #[serde(rename = "line")]
    pub lines: Vec<Line>,
}

/// One turn of the caller. Exactly one of `say` and `wav`, or only `dtmf`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub say: Option<String>,
    /// A recording to play instead, relative to the script.
    pub wav: Option<PathBuf>,
    pub voice: Option<String>,
    /// Phrases the transcript must contain, all of them.
    #[serde(default)]
    pub expect_transcript: Vec<Phrase>,
    /// Phrases the agent's answer must contain, all of them.
    #[serde(default)]
    pub expect_reply: Vec<Phrase>,
    /// Said into the answer to the line before, this long after it was first heard.
    pub barge_in_after_ms: Option<u64>,
    /// Keys to press, after what is said.
    #[serde(default)]
    pub dtmf: String,
    /// After this line the agent ends the call.
    #[serde(default)]
    pub agent_hangs_up: bool,
}

#[derive(Debug, Error)]
pub enum ScriptError {
    #[error("cannot read script {path}: {cause}")]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("{name} is no script: {cause}")]
    Toml { name: String, cause: Box<toml::de::Error> },
    #[error("script {name}: {problem}")]
    Invalid { name: String, problem: String },
    #[error("script {name}, line {line}: {problem}")]
    Line { name: String, line: usize, problem: String },
    #[error("script {name}, line {line}: {cause}")]
    Voice { name: String, line: usize, cause: VoiceError },
}

// === impl Script ===

impl Script {
    /// Reads a file; recordings it names are looked for beside it.
    pub fn read(path: &Path) -> Result<Self, ScriptError> {
        let text = std::fs::read_to_string(path).map_err(|cause| ScriptError::Read { path: path.to_owned(), cause })?;
        let mut script = Self::parse(&text, &path.display().to_string())?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for wav in script.lines.iter_mut().filter_map(|line| line.wav.as_mut()) {
            *wav = folder.join(&*wav);
        }
        Ok(script)
    }

    /// `name` is for errors.
    pub fn parse(text: &str, name: &str) -> Result<Self, ScriptError> {
        let script: Self = toml::from_str(text)
            .map_err(|cause| ScriptError::Toml { name: name.to_owned(), cause: Box::new(cause) })?;
        if script.lines.is_empty() {
            return Err(ScriptError::Invalid { name: name.to_owned(), problem: "it has no line".to_owned() });
        }
        for (line, number) in script.lines.iter().zip(1..) {
            if let Some(problem) = line.problem(number == 1) {
                return Err(ScriptError::Line { name: name.to_owned(), line: number, problem });
            }
        }
        Ok(script)
    }

    /// Makes the voice of every line; `voice` overrides the script's own.
    pub async fn prepare(&self, name: &str, voice: Option<&str>) -> Result<Vec<Prepared>, ScriptError> {
        let mut prepared = Vec::with_capacity(self.lines.len());
        for (line, number) in self.lines.iter().zip(1..) {
            let voice = voice.or(line.voice.as_deref()).unwrap_or(&self.voice);
            let utterance = match (&line.say, &line.wav) {
                (Some(text), _) => Some(Utterance::spoken(text, voice).await),
                (None, Some(path)) => Some(Utterance::recorded(path)),
                (None, None) => None,
            };
            let utterance = utterance.transpose().map_err(|cause| ScriptError::Voice {
                name: name.to_owned(),
                line: number,
                cause,
            })?;
            prepared.push(Prepared { line: line.clone(), utterance });
        }
        Ok(prepared)
    }
}

// === impl Line ===

impl Line {
    /// A question without expectations.
    pub fn saying(text: &str) -> Self {
        Self { say: Some(text.to_owned()), ..Self::default() }
    }

    /// A recording without expectations.
    pub fn playing(path: &Path) -> Self {
        Self { wav: Some(path.to_owned()), ..Self::default() }
    }

    pub fn barge_in_after(&self) -> Option<Duration> {
        self.barge_in_after_ms.map(Duration::from_millis)
    }

    /// What the line is called in reports.
    pub fn title(&self) -> String {
        match (&self.say, &self.wav) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            (None, None) => format!("key {}", self.dtmf),
        }
    }

    fn problem(&self, first: bool) -> Option<String> {
        let speaks = self.say.is_some() || self.wav.is_some();
        if self.say.is_some() && self.wav.is_some() {
            return Some("it has both `say` and `wav`".to_owned());
        }
        if self.say.as_deref().is_some_and(|text| text.trim().is_empty()) {
            return Some("there is nothing to say".to_owned());
        }
        if !speaks && self.dtmf.is_empty() {
            return Some("it has none of `say`, `wav` and `dtmf`".to_owned());
        }
        if let Some(key) = self.dtmf.chars().find(|key| !matches!(key, '0'..='9' | '*' | '#' | 'A'..='D')) {
            return Some(format!("{key:?} is no key (0-9, *, #, A-D)"));
        }
        if self.barge_in_after_ms.is_some() && (first || !speaks) {
            return Some("only something said after another line can interrupt".to_owned());
        }
        None
    }
}

fn default_voice() -> String {
    "rms".to_owned()
}
