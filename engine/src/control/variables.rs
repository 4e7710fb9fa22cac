//! Variables in an agent's texts: `{{caller}}`, `{{called}}`, `{{header.X-Campaign}}`, and those an API call brings.
//! What the texts are for is the call's business.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dialled::dialled;
use crate::call::AgentSettings;

/// Longest value that is put in, characters: headers are written by strangers.
const LONGEST_VALUE: usize = 300;

/// What is known of one call, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

// === impl Variables ===

impl Variables {
    /// `caller` and `called` are numbers or user names; of a header that comes twice, the first counts.
    pub fn of_call(from: &str, to: &str, headers: &[(String, String)]) -> Self {
        let mut variables = Self::default();
        variables.set("caller", &dialled(from));
        variables.set("called", &dialled(to));
        for (name, value) in headers.iter().rev() {
            variables.set(&format!("header.{name}"), value);
        }
        variables
    }

    /// Names are read without regard to case, as header names are.
    pub fn set(&mut self, name: &str, value: &str) {
        let value = value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_VALUE).collect();
        self.0.insert(name.to_ascii_lowercase(), value);
    }

    /// Whether an agent's texts name any.
    pub fn are_named_by(agent: &AgentSettings) -> bool {
        let texts = [&agent.instructions, &agent.greeting, &agent.goodbye, &agent.fallback, &agent.transfer_failed];
        let replies = agent.replies.iter().map(|reply| &reply.text);
        texts.into_iter().chain(&agent.silence_prompts).chain(replies).any(|text| text.contains("{{"))
    }

    /// The agent with its texts filled in; the same one if they name nothing.
    pub fn fill_in(&self, agent: &Arc<AgentSettings>) -> Arc<AgentSettings> {
        if !Self::are_named_by(agent) {
            return agent.clone();
        }
        Arc::new(AgentSettings {
            instructions: self.filled(&agent.instructions),
            greeting: self.filled(&agent.greeting),
            goodbye: self.filled(&agent.goodbye),
            fallback: self.filled(&agent.fallback),
            transfer_failed: self.filled(&agent.transfer_failed),
            silence_prompts: agent.silence_prompts.iter().map(|text| self.filled(text)).collect(),
            replies: agent.replies.iter().map(|reply| reply.saying(self.filled(&reply.text))).collect(),
            ..AgentSettings::clone(agent)
        })
    }

    /// A text with the variables' values; one that is not known leaves nothing.
    pub fn filled(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            let Some((name, after)) = after.split_once("}}") else {
                // A bracket that is never closed is text.
                filled.push_str("{{");
                rest = after;
                continue;
            };
            if let Some(value) = self.0.get(&name.trim().to_ascii_lowercase()) {
                filled.push_str(value);
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

#[cfg(test)]
mod tests;
