//! Function calls of a streamed answer, put together from the pieces they come in.
//! What is done with them is decided elsewhere.

use serde::Deserialize;

use crate::speech::ToolCall;

/// A piece of `delta.tool_calls`. OpenAI gives every piece its call's index, and the first one id and name; others leave
/// out the index, or repeat the id.
#[derive(Debug, Deserialize)]
pub struct ToolCallDelta {
    index: Option<usize>,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Debug, Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

/// The calls of one answer as far as they came.
#[derive(Debug, Default)]
pub struct ToolCalls(Vec<Begun>);

#[derive(Debug)]
struct Begun {
    index: Option<usize>,
    call: ToolCall,
}

// === impl ToolCalls ===

impl ToolCalls {
    pub fn push(&mut self, delta: ToolCallDelta) {
        let id = delta.id.unwrap_or_default();
        let (name, arguments) = delta
            .function
            .map_or_else(Default::default, |f| (f.name.unwrap_or_default(), f.arguments.unwrap_or_default()));
        let same_index = |begun: &&mut Begun| delta.index.is_none() || begun.index == delta.index;
        // Some number every call 0 and tell them apart by their ids only.
        let same_id = |begun: &&mut Begun| id.is_empty() || begun.call.id.is_empty() || begun.call.id == id;
        match self.0.iter_mut().rev().find(|begun| same_index(begun) && same_id(begun)) {
            Some(Begun { call, .. }) => {
                if !id.is_empty() {
                    call.id = id;
                }
                if !name.is_empty() {
                    call.name = name;
                }
                call.arguments.push_str(&arguments);
            }
            None => self.0.push(Begun { index: delta.index, call: ToolCall { id, name, arguments } }),
        }
    }

    /// The complete calls, in the order they were begun. What has no name is none; who got no id gets one.
    pub fn take(&mut self) -> impl Iterator<Item = ToolCall> {
        let begun = std::mem::take(&mut self.0).into_iter().map(|begun| begun.call);
        begun.filter(|call| !call.name.is_empty()).map(|mut call| {
            if call.id.is_empty() {
                call.id = format!("call_{}", uuid::Uuid::now_v7().simple());
            }
            call
        })
    }
}

#[cfg(test)]
mod tests;
