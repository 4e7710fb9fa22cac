//! A business profile: the agent that answers for a business - persona, prompt, voice, tools, hours - as its people
//! write it. What the engine makes of it is `AgentSpec`; how it is stored is the routes'.

use edge_protocol::accounts::{AgentSpec, FixedReply, Pipeline};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::credits::MAX_CALL_S;
use super::hours::{Hours, Outside};
use crate::jobs::webhook_url;

/// Longest name, characters.
pub const MAX_NAME: usize = 80;
/// Longest text that is spoken, characters.
pub const MAX_SPOKEN: usize = 1_000;
/// Longest persona, characters.
pub const MAX_PERSONA: usize = 4_000;
/// Longest prompt, characters.
pub const MAX_PROMPT: usize = 16_000;
/// Most silence prompts.
pub const MAX_SILENCE_PROMPTS: usize = 8;
/// Most tools.
pub const MAX_TOOLS: usize = 32;
/// Largest tool, bytes of JSON.
pub const MAX_TOOL_BYTES: usize = 4_096;
/// Most replies, and most questions each is the answer to.
const MAX_REPLIES: usize = 32;
const MAX_QUESTIONS: usize = 16;
/// Longest question, characters.
const MAX_QUESTION: usize = 200;
/// Longest secret of a tool, characters.
const MAX_TOOL_SECRET: usize = 256;
/// The call ends when no RTP came for so long, seconds.
const RTP_TIMEOUT_S: u32 = 15;

/// The profile. What is left out has a sensible value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub name: String,
    /// Who the agent is: `You are the receptionist of …`.
    #[serde(default)]
    pub persona: String,
    /// What it is to do, and what it knows.
    #[serde(default)]
    pub prompt: String,
    /// Said first; empty: the caller speaks first.
    #[serde(default)]
    pub greeting: String,
    /// Voice of the speech provider; left out: the node's.
    #[serde(default)]
    pub voice: Option<String>,
    /// In OpenAI's function format; with a `url` beside `function` they are run (`edge_protocol::accounts::AgentSpec`).
    #[serde(default)]
    pub tools: Vec<Value>,
    /// Left out: always open.
    #[serde(default)]
    pub hours: Option<Hours>,
    /// Said one after the other into the caller's silence.
    #[serde(default = "default_silence_prompts")]
    pub silence_prompts: Vec<String>,
    #[serde(default = "default_goodbye")]
    pub goodbye: String,
    /// Said when something is broken on our side.
    #[serde(default = "default_fallback")]
    pub fallback: String,
    /// Silence that ends the caller's turn, ms, 100 to 5000.
    #[serde(default = "default_endpointing_ms")]
    pub endpointing_ms: u32,
    /// Silence after which a silence prompt is said, ms, 1000 to 120000.
    #[serde(default = "default_silence_after_ms")]
    pub silence_after_ms: u32,
    /// Longest call, seconds, 10 to 86400.
    #[serde(default = "default_max_call_s")]
    pub max_call_s: u32,
    #[serde(default = "default_record")]
    pub record: bool,
    /// How the agent hears, thinks and speaks.
    #[serde(default)]
    pub pipeline: Pipeline,
    /// Answers that need no model, the first that fits.
    #[serde(default)]
    pub replies: Vec<FixedReply>,
    /// Sentences that are said often are synthesised once.
    #[serde(default = "default_keep_voice")]
    pub keep_voice: bool,
    /// Which of a node's chat providers is asked first: a cheaper one, a better one. `None`: the first in its order.
    #[serde(default)]
    pub chat_provider: Option<String>,
}

fn default_silence_prompts() -> Vec<String> {
    vec!["Are you still there?".to_owned()]
}

fn default_goodbye() -> String {
    "Thank you for calling. Goodbye!".to_owned()
}

fn default_fallback() -> String {
    "I am sorry, something went wrong on our side. Could you say that again?".to_owned()
}

fn default_endpointing_ms() -> u32 {
    600
}

fn default_silence_after_ms() -> u32 {
    8_000
}

fn default_max_call_s() -> u32 {
    300
}

fn default_record() -> bool {
    true
}

fn default_keep_voice() -> bool {
    true
}

/// What is wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProfileError {
    #[error("the profile cannot be read: {0}")]
    Unreadable(String),
    #[error("{field}: {problem}")]
    Field { field: String, problem: String },
}

/// Whether a profile answers now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    Open,
    /// Outside the hours; a greeting says so.
    ClosedWithGreeting,
    /// Outside the hours, and calls are not answered.
    Closed,
}

// === impl Profile ===

impl Profile {
    /// The first profile of an account: polite, and open all the time.
    pub fn first(business: &str) -> Self {
        Self {
            name: "Reception".to_owned(),
            persona: format!("You are the receptionist of {business}, and you are on the telephone."),
            prompt: "Answer in one or two short spoken sentences, without lists or markup. Offer to take a message."
                .to_owned(),
            greeting: format!("Hello, this is {business}. How can I help you?"),
            voice: None,
            tools: Vec::new(),
            hours: None,
            silence_prompts: default_silence_prompts(),
            goodbye: default_goodbye(),
            fallback: default_fallback(),
            endpointing_ms: default_endpointing_ms(),
            silence_after_ms: default_silence_after_ms(),
            max_call_s: default_max_call_s(),
            record: default_record(),
            pipeline: Pipeline::default(),
            replies: Vec::new(),
            keep_voice: default_keep_voice(),
            chat_provider: None,
        }
    }

    /// Reads a profile and checks every field.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn read(json: &[u8]) -> Result<Self, ProfileError> {
        let profile: Self =
            serde_json::from_slice(json).map_err(|error| ProfileError::Unreadable(error.to_string()))?;
        profile.check()?;
        Ok(profile)
    }

    /// # Errors
    /// The first field that is out of bounds.
    pub fn check(&self) -> Result<(), ProfileError> {
        text("name", &self.name, 1, MAX_NAME)?;
        text("persona", &self.persona, 0, MAX_PERSONA)?;
        text("prompt", &self.prompt, 0, MAX_PROMPT)?;
        text("greeting", &self.greeting, 0, MAX_SPOKEN)?;
        text("goodbye", &self.goodbye, 1, MAX_SPOKEN)?;
        text("fallback", &self.fallback, 1, MAX_SPOKEN)?;
        if let Some(voice) = &self.voice {
            text("voice", voice, 1, MAX_NAME)?;
        }
        if let Some(provider) = &self.chat_provider {
            text("chat_provider", provider, 1, MAX_NAME)?;
        }
        count("silence_prompts", self.silence_prompts.len(), MAX_SILENCE_PROMPTS)?;
        for (at, prompt) in self.silence_prompts.iter().enumerate() {
            text(&format!("silence_prompts[{at}]"), prompt, 1, MAX_SPOKEN)?;
        }
        count("tools", self.tools.len(), MAX_TOOLS)?;
        for (at, tool) in self.tools.iter().enumerate() {
            check_tool(tool).map_err(|problem| field(&format!("tools[{at}]"), problem))?;
        }
        count("replies", self.replies.len(), MAX_REPLIES)?;
        for (at, reply) in self.replies.iter().enumerate() {
            check_reply(&format!("replies[{at}]"), reply)?;
        }
        range("endpointing_ms", self.endpointing_ms, 100, 5_000)?;
        range("silence_after_ms", self.silence_after_ms, 1_000, 120_000)?;
        range("max_call_s", self.max_call_s, 10, MAX_CALL_S)?;
        if let Some(hours) = &self.hours {
            hours.check().map_err(|(name, problem)| field(name, problem))?;
            if let Outside::Greet { greeting } = &hours.outside {
                text("hours.outside.greeting", greeting, 1, MAX_SPOKEN)?;
            }
        }
        Ok(())
    }

    pub fn opening(&self, now_ms: u64) -> Opening {
        match &self.hours {
            None => Opening::Open,
            Some(hours) if hours.open_at(now_ms) => Opening::Open,
            Some(Hours { outside: Outside::Refuse, .. }) => Opening::Closed,
            Some(Hours { outside: Outside::Greet { .. }, .. }) => Opening::ClosedWithGreeting,
        }
    }

    /// The agent as the engine runs it, at this moment.
    pub fn agent(&self, opening: Opening) -> AgentSpec {
        let mut parts: Vec<String> = vec![self.persona.trim().to_owned(), self.prompt.trim().to_owned()];
        let mut greeting = &self.greeting;
        if let Some(hours) = &self.hours {
            parts.push(hours.in_words());
            if opening != Opening::Open {
                parts.push("The business is closed now; say so when it matters.".to_owned());
                if let Outside::Greet { greeting: outside } = &hours.outside {
                    greeting = outside;
                }
            }
        }
        parts.retain(|part| !part.is_empty());
        AgentSpec {
            name: self.name.clone(),
            instructions: parts.join("\n\n"),
            greeting: greeting.clone(),
            voice: self.voice.clone(),
            silence_prompts: self.silence_prompts.clone(),
            goodbye: self.goodbye.clone(),
            fallback: self.fallback.clone(),
            endpointing_ms: self.endpointing_ms,
            silence_after_ms: self.silence_after_ms,
            rtp_timeout_s: RTP_TIMEOUT_S,
            tools: self.tools.clone(),
            pipeline: Some(self.pipeline),
            replies: self.replies.clone(),
            keep_voice: Some(self.keep_voice),
            chat_provider: self.chat_provider.clone(),
        }
    }
}

fn field(name: &str, problem: String) -> ProfileError {
    ProfileError::Field { field: name.to_owned(), problem }
}

fn text(name: &str, value: &str, least: usize, most: usize) -> Result<(), ProfileError> {
    let length = value.chars().count();
    if value.trim().chars().count() < least {
        return Err(field(name, "must not be empty".to_owned()));
    }
    if length > most {
        return Err(field(name, format!("{length} characters; at most {most}")));
    }
    Ok(())
}

fn count(name: &str, value: usize, most: usize) -> Result<(), ProfileError> {
    if value > most { Err(field(name, format!("{value} of them; at most {most}"))) } else { Ok(()) }
}

fn range(name: &str, value: u32, least: u32, most: u32) -> Result<(), ProfileError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(field(name, format!("{value}; must be {least} to {most}")))
    }
}

fn check_reply(name: &str, FixedReply { questions, text: reply }: &FixedReply) -> Result<(), ProfileError> {
    let questions_name = format!("{name}.questions");
    count(&questions_name, questions.len(), MAX_QUESTIONS)?;
    if questions.is_empty() {
        return Err(field(&questions_name, "must not be empty".to_owned()));
    }
    for (at, question) in questions.iter().enumerate() {
        let name = format!("{questions_name}[{at}]");
        text(&name, question, 1, MAX_QUESTION)?;
        if !question.chars().any(char::is_alphanumeric) {
            return Err(field(&name, format!("`{question}` has no words")));
        }
    }
    text(&format!("{name}.text"), reply, 1, MAX_SPOKEN)
}

/// `{"type":"function","function":{"name":…,"description":…,"parameters":{…}},"url":…}`
fn check_tool(tool: &Value) -> Result<(), String> {
    let bytes = tool.to_string().len();
    if bytes > MAX_TOOL_BYTES {
        return Err(format!("{bytes} bytes; at most {MAX_TOOL_BYTES}"));
    }
    if tool.get("type").and_then(Value::as_str) != Some("function") {
        return Err("`type` must be \"function\"".to_owned());
    }
    let Some(function) = tool.get("function").and_then(Value::as_object) else {
        return Err("`function` must be an object".to_owned());
    };
    let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(format!("`function.name` `{name}` must be 1 to 64 letters, digits, `_` or `-`"));
    }
    match function.get("parameters") {
        None | Some(Value::Object(_)) => check_service(tool),
        Some(_) => Err("`function.parameters` must be a JSON schema".to_owned()),
    }
}

/// Where a tool is carried out: `url`, and if wanted `secret`, `timeout_ms` and `filler`.
fn check_service(tool: &Value) -> Result<(), String> {
    let text = |name: &str, most: usize| match tool.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= most => Ok(Some(text)),
        Some(_) => Err(format!("`{name}` must be a text of at most {most} characters")),
    };
    text("secret", MAX_TOOL_SECRET)?;
    text("filler", MAX_SPOKEN)?;
    if let Some(url) = text("url", MAX_TOOL_BYTES)? {
        webhook_url::check(url, false).map_err(|error| format!("`url`: {error}"))?;
    }
    match tool.get("timeout_ms") {
        None => Ok(()),
        Some(ms) if ms.as_u64().is_some_and(|ms| (100..=20_000).contains(&ms)) => Ok(()),
        Some(ms) => Err(format!("`timeout_ms` {ms} must be 100 to 20000")),
    }
}

#[cfg(test)]
mod tests;
