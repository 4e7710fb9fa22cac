//! A conversation as Anthropic's Messages API wants it: the system prompt apart, roles that alternate, blocks.
//! Nothing is sent here.

use serde_json::{Value, json};

use crate::speech::{ChatMessage, ToolCall, ToolDefinition};

/// The API wants the first line to be the caller's; where the agent greeted, it was this that it answered.
const CALL_BEGINS: &str = "[the call begins]";

/// What stays the same from turn to turn is marked to be cached: the tools, and all up to the end of the system prompt.
pub fn body(model: &str, max_tokens: u32, messages: &[ChatMessage], tools: &[ToolDefinition]) -> Value {
    let mut lines = Lines::default();
    let mut system = String::new();
    for message in messages {
        match message {
            ChatMessage::System(text) if system.is_empty() => system.push_str(text),
            ChatMessage::System(text) => {
                system.push_str("\n\n");
                system.push_str(text);
            }
            ChatMessage::User(line) => lines.push("user", text(line)),
            ChatMessage::Assistant { text: line, calls } => {
                lines.push("assistant", text(line).into_iter().chain(calls.iter().map(tool_use)));
            }
            ChatMessage::Tool { id, result } => {
                lines.push("user", [json!({ "type": "tool_result", "tool_use_id": id, "content": result })]);
            }
        }
    }
    let mut body =
        json!({ "model": model, "max_tokens": max_tokens, "stream": true, "messages": lines.into_messages() });
    if !system.is_empty() {
        body["system"] = json!([cached(json!({ "type": "text", "text": system }))]);
    }
    if let Some((last, others)) = tools.split_last() {
        let tools: Vec<Value> = others.iter().map(tool).chain([cached(tool(last))]).collect();
        body["tools"] = tools.into();
    }
    body
}

/// Lines of the same side after one another are one message of several blocks.
#[derive(Default)]
struct Lines(Vec<(&'static str, Vec<Value>)>);

// === impl Lines ===

impl Lines {
    fn push(&mut self, role: &'static str, blocks: impl IntoIterator<Item = Value>) {
        if self.0.is_empty() && role != "user" {
            self.0.push(("user", text(CALL_BEGINS).into_iter().collect()));
        }
        match self.0.last_mut().filter(|(last, _)| *last == role) {
            Some((_, said)) => said.extend(blocks),
            None => self.0.push((role, blocks.into_iter().collect())),
        }
    }

    fn into_messages(self) -> Vec<Value> {
        let said = self.0.into_iter().filter(|(_, blocks)| !blocks.is_empty());
        said.map(|(role, content)| json!({ "role": role, "content": content })).collect()
    }
}

/// An empty block is refused.
fn text(text: &str) -> Option<Value> {
    (!text.trim().is_empty()).then(|| json!({ "type": "text", "text": text }))
}

fn tool(ToolDefinition { name, description, parameters }: &ToolDefinition) -> Value {
    json!({ "name": name, "description": description, "input_schema": parameters })
}

fn tool_use(ToolCall { id, name, arguments }: &ToolCall) -> Value {
    // What the model wrote may be no JSON; the API wants an object.
    let input = serde_json::from_str(arguments).ok().filter(Value::is_object).unwrap_or_else(|| json!({}));
    json!({ "type": "tool_use", "id": id, "name": name, "input": input })
}

fn cached(mut block: Value) -> Value {
    block["cache_control"] = json!({ "type": "ephemeral" });
    block
}

#[cfg(test)]
mod tests;
