//! The conversation so far, as it is told to the language model: what was said and what was really heard.
//! Who speaks next is not decided here.

use super::chat::{ChatMessage, ToolCall};

/// The caller's line when speech was heard but no words could be made out.
pub const UNCLEAR: &str = "[unclear]";

/// Lines kept; older ones are dropped in pairs, so that a long call's requests stay bounded.
const MOST_LINES: usize = 60;

/// What a tool has answered while it is at work.
const AT_WORK: &str = "There is no result yet.";

/// What models are told about the marks in the caller's lines, after the agent's own instructions.
const MARKS: &str = "You are on the telephone: answer in one to three short spoken sentences, no lists, no markup. \
    A caller's line [unclear] is speech that could not be made out: ask again, politely. \
    [pressed 12#] are keys the caller pressed. When the conversation is over, say goodbye and call hang_up.";

/// Lines of one call, oldest first, behind the agent's instructions.
#[derive(Debug, Clone)]
pub struct History {
    system: String,
    lines: Vec<ChatMessage>,
}

// === impl History ===

impl History {
    pub fn new(instructions: &str) -> Self {
        Self { system: format!("{instructions}\n\n{MARKS}").trim_start().to_owned(), lines: Vec::new() }
    }

    /// Adds to the instructions.
    pub fn instruct(&mut self, text: &str) {
        self.system.push_str("\n\n");
        self.system.push_str(text);
    }

    pub fn caller_said(&mut self, text: &str) {
        self.push(ChatMessage::User(text.to_owned()));
    }

    /// What the caller heard of an answer or prompt; nothing heard leaves no line.
    pub fn agent_was_heard(&mut self, text: &str) {
        if !text.is_empty() {
            self.push(ChatMessage::assistant(text));
        }
    }

    /// The model called these, all of them at work.
    pub fn tools_called(&mut self, calls: &[ToolCall]) {
        self.push(ChatMessage::Assistant { text: String::new(), calls: calls.to_vec() });
        for call in calls {
            self.push(ChatMessage::Tool { id: call.id.clone(), result: AT_WORK.to_owned() });
        }
    }

    /// The result of the newest call with that id.
    pub fn tool_answered(&mut self, id: &str, text: &str) {
        let lines = self.lines.iter_mut().rev();
        let mut results = lines.filter_map(|line| match line {
            ChatMessage::Tool { id, result } => Some((id, result)),
            _ => None,
        });
        if let Some((_, result)) = results.find(|(of, _)| *of == id) {
            text.clone_into(result);
        }
    }

    /// What was heard of the agent last; empty if nothing was.
    pub fn last_of_agent<'a>(&'a self) -> &'a str {
        let said = |line: &'a ChatMessage| match line {
            ChatMessage::Assistant { text, .. } if !text.is_empty() => Some(text.as_str()),
            _ => None,
        };
        self.lines.iter().rev().find_map(said).unwrap_or_default()
    }

    /// Nobody has said anything yet.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// All lines.
    pub fn so_far(&self) -> Vec<ChatMessage> {
        let system = ChatMessage::System(self.system.clone());
        std::iter::once(system).chain(self.lines.iter().cloned()).collect()
    }

    /// All lines with `next` as the caller's newest.
    pub fn with_caller_line(&self, next: &str) -> Vec<ChatMessage> {
        let mut lines = self.so_far();
        lines.push(ChatMessage::User(next.to_owned()));
        lines
    }

    /// All lines, for the rest of an answer that called tools and has `said` so far what is not in the history yet.
    pub fn with_results(&self, said: &str) -> Vec<ChatMessage> {
        let mut lines = self.so_far();
        let newest = lines.iter_mut().rev().find_map(|line| match line {
            ChatMessage::Assistant { text, calls } if !calls.is_empty() => Some(text),
            _ => None,
        });
        if let Some(text) = newest {
            said.clone_into(text);
        }
        lines
    }

    fn push(&mut self, line: ChatMessage) {
        if self.lines.len() >= MOST_LINES {
            self.lines.drain(..2);
            // A result without its call is refused.
            let results = self.lines.iter().take_while(|line| matches!(line, ChatMessage::Tool { .. })).count();
            self.lines.drain(..results);
        }
        self.lines.push(line);
    }
}

#[cfg(test)]
mod tests;
