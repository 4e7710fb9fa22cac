//! An agent as the engine sees it: what it says, how it thinks, when it gives up. Read from a TOML file.
//! The sections for offline speech in the same file belong to `speech::offline` and are skipped here.

mod tools;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use super::admitted::{ENDPOINTING_MS, HOLD_TIMEOUT_S, MAX_CALL_S, RTP_TIMEOUT_S, SILENCE_AFTER_MS};
pub(super) use tools::of_profile;

use crate::call::{AgentSettings, Endpointing, Interruptible, Pipeline, Reply, SpeculationSettings};

/// One agent: how it behaves in a call, and what the node needs to know besides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "AgentToml")]
pub struct AgentProfile {
    /// What a call gets. Texts are spoken as they stand.
    pub settings: Arc<AgentSettings>,
    /// Voice of the speech provider; `None`: the configuration's.
    pub voice: Option<String>,
    /// Numbers or SIP user names this agent answers.
    pub numbers: Vec<String>,
}

/// Why an agent file cannot be used.
#[derive(Debug, Error)]
pub enum AgentError {
    #[error("agent file {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    // TOML's own message is several lines: where, what, and what was expected.
    #[error("agent file {}:\n{source}", path.display())]
    Syntax { path: PathBuf, source: Box<toml::de::Error> },
    #[error("agent file {}: {key} = {value}: {reason}", path.display())]
    Value { path: PathBuf, key: &'static str, value: String, reason: &'static str },
}

/// The file's keys; units are in their names, as TOML has no durations.
#[derive(Debug, Deserialize)]
struct AgentToml {
    name: String,
    instructions: String,
    #[serde(default)]
    greeting: String,
    voice: Option<String>,
    #[serde(default)]
    pipeline: PipelineToml,
    #[serde(default = "default_silence_prompts")]
    silence_prompts: Vec<String>,
    #[serde(default = "default_goodbye")]
    goodbye: String,
    #[serde(default = "default_fallback")]
    fallback: String,
    #[serde(default = "default_transfer_failed")]
    transfer_failed: String,
    #[serde(default)]
    numbers: Vec<String>,
    #[serde(default = "default_max_call_s")]
    max_call_s: u32,
    #[serde(default = "default_silence_after_ms")]
    silence_after_ms: u32,
    #[serde(default = "default_endpointing_ms")]
    endpointing_ms: u32,
    endpointing_unknown_ms: Option<u32>,
    endpointing_unfinished_ms: Option<u32>,
    speculation_per_turn: Option<u32>,
    speculation_per_call: Option<u32>,
    #[serde(default)]
    interruptible: InterruptibleToml,
    #[serde(default = "default_rtp_timeout_s")]
    rtp_timeout_s: u32,
    #[serde(default = "default_hold_timeout_s")]
    hold_timeout_s: u32,
    #[serde(default)]
    noise_suppression: bool,
    #[serde(default = "default_keep_voice")]
    keep_voice: bool,
    chat_provider: Option<String>,
    #[serde(default)]
    replies: Vec<Reply>,
    #[serde(flatten)]
    tools: tools::ToolsToml,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PipelineToml {
    #[default]
    Stages,
    Realtime,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum InterruptibleToml {
    #[default]
    Always,
    AfterGreeting,
    Never,
}

fn default_silence_prompts() -> Vec<String> {
    vec!["Are you still there?".to_owned(), "I cannot hear you. Please say something if you are there.".to_owned()]
}

fn default_goodbye() -> String {
    "Thank you for calling. Goodbye.".to_owned()
}

fn default_fallback() -> String {
    "I am sorry, something went wrong. Could you say that again?".to_owned()
}

fn default_transfer_failed() -> String {
    AgentSettings::default().transfer_failed
}

fn default_max_call_s() -> u32 {
    300
}

fn default_silence_after_ms() -> u32 {
    8000
}

fn default_endpointing_ms() -> u32 {
    600
}

fn default_keep_voice() -> bool {
    AgentSettings::default().keep_voice
}

fn default_rtp_timeout_s() -> u32 {
    15
}

fn default_hold_timeout_s() -> u32 {
    180
}

// === impl AgentProfile ===

impl AgentProfile {
    pub fn load(path: &Path) -> Result<Self, AgentError> {
        let text = fs::read_to_string(path).map_err(|source| AgentError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads an agent from TOML; `path` is only for the error.
    pub fn parse(text: &str, path: &Path) -> Result<Self, AgentError> {
        let agent: Self = toml::from_str(text)
            .map_err(|source| AgentError::Syntax { path: path.to_owned(), source: Box::new(source) })?;
        agent.check(path)?;
        Ok(agent)
    }

    fn check(&self, path: &Path) -> Result<(), AgentError> {
        let bad = |key, value: String, reason| Err(AgentError::Value { path: path.to_owned(), key, value, reason });
        let agent = &self.settings;
        let texts = [
            ("name", &agent.name),
            ("instructions", &agent.instructions),
            ("goodbye", &agent.goodbye),
            ("fallback", &agent.fallback),
            ("transfer_failed", &agent.transfer_failed),
        ];
        for (key, text) in texts {
            if text.trim().is_empty() {
                return bad(key, format!("{text:?}"), "must not be empty");
            }
        }
        if !within(&MAX_CALL_S, agent.max_call.as_secs().into()) {
            return bad("max_call_s", agent.max_call.as_secs().to_string(), "must be 1 to 86400");
        }
        if !within(&SILENCE_AFTER_MS, agent.silence_after.as_millis()) {
            return bad("silence_after_ms", agent.silence_after.as_millis().to_string(), "must be 1000 to 120000");
        }
        let Endpointing { finished, unknown, unfinished } = agent.endpointing;
        let waits = [
            ("endpointing_ms", finished),
            ("endpointing_unknown_ms", unknown),
            ("endpointing_unfinished_ms", unfinished),
        ];
        for (key, wait) in waits {
            if !within(&ENDPOINTING_MS, wait.as_millis()) {
                return bad(key, wait.as_millis().to_string(), "must be 100 to 5000");
            }
        }
        if unknown < finished {
            let value = unknown.as_millis().to_string();
            return bad("endpointing_unknown_ms", value, "must not be less than endpointing_ms");
        }
        if unfinished < unknown {
            let value = unfinished.as_millis().to_string();
            return bad("endpointing_unfinished_ms", value, "must not be less than endpointing_unknown_ms");
        }
        if !within(&RTP_TIMEOUT_S, agent.rtp_timeout.as_secs().into()) {
            return bad("rtp_timeout_s", agent.rtp_timeout.as_secs().to_string(), "must be 2 to 3600");
        }
        if !within(&HOLD_TIMEOUT_S, agent.hold_timeout.as_secs().into()) {
            return bad("hold_timeout_s", agent.hold_timeout.as_secs().to_string(), "must be 2 to 86400");
        }
        tools::check(agent).or_else(|(key, value, reason)| bad(key, value, reason))
    }

    /// Everything the agent says unasked: worth synthesising before the first call.
    pub fn fixed_texts(&self) -> Vec<String> {
        let agent = &self.settings;
        let texts = [&agent.fallback, &agent.greeting, &agent.goodbye, &agent.transfer_failed];
        let fillers = agent.tools.iter().map(|tool| &tool.filler).chain(agent.mcp.iter().map(|server| &server.filler));
        let fillers: BTreeSet<&String> = fillers.filter(|filler| !filler.is_empty()).collect();
        let replies = agent.replies.iter().map(|reply| &reply.text);
        texts.into_iter().chain(&agent.silence_prompts).chain(fillers).chain(replies).cloned().collect()
    }
}

// === impl AgentToml ===

impl AgentToml {
    /// Waits that are not given go with `endpointing_ms`.
    fn endpointing(&self) -> Endpointing {
        let millis = |ms: u32| Duration::from_millis(ms.into());
        let longest = millis(*ENDPOINTING_MS.end());
        let after = Endpointing::after(millis(self.endpointing_ms));
        Endpointing {
            finished: after.finished,
            unknown: self.endpointing_unknown_ms.map_or(after.unknown.min(longest), millis),
            unfinished: self.endpointing_unfinished_ms.map_or(after.unfinished.min(longest), millis),
        }
    }

    fn speculation(&self) -> SpeculationSettings {
        let own = SpeculationSettings::default();
        SpeculationSettings {
            per_turn: self.speculation_per_turn.unwrap_or(own.per_turn),
            per_call: self.speculation_per_call.unwrap_or(own.per_call),
        }
    }
}

fn within(range: &RangeInclusive<u32>, value: u128) -> bool {
    u32::try_from(value).is_ok_and(|value| range.contains(&value))
}

impl From<AgentToml> for AgentProfile {
    fn from(file: AgentToml) -> Self {
        let (endpointing, speculation) = (file.endpointing(), file.speculation());
        let mut settings = AgentSettings {
            name: file.name,
            pipeline: match file.pipeline {
                PipelineToml::Stages => Pipeline::Stages,
                PipelineToml::Realtime => Pipeline::SpeechToSpeech,
            },
            // The node's voice is made of this file's and the configuration's.
            voice: None,
            instructions: file.instructions,
            greeting: file.greeting,
            silence_prompts: file.silence_prompts,
            goodbye: file.goodbye,
            fallback: file.fallback,
            transfer_failed: file.transfer_failed,
            max_call: Duration::from_secs(file.max_call_s.into()),
            paid_for: None,
            silence_after: Duration::from_millis(file.silence_after_ms.into()),
            endpointing,
            speculation,
            interruptible: match file.interruptible {
                InterruptibleToml::Always => Interruptible::Always,
                InterruptibleToml::AfterGreeting => Interruptible::AfterGreeting,
                InterruptibleToml::Never => Interruptible::Never,
            },
            rtp_timeout: Duration::from_secs(file.rtp_timeout_s.into()),
            hold_timeout: Duration::from_secs(file.hold_timeout_s.into()),
            noise_suppression: file.noise_suppression,
            keep_voice: file.keep_voice,
            chat_provider: file.chat_provider.map(Arc::from),
            replies: file.replies,
            ..AgentSettings::default()
        };
        file.tools.give_to(&mut settings);
        Self { settings: Arc::new(settings), voice: file.voice, numbers: file.numbers }
    }
}
