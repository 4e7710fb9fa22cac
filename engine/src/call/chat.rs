//! The conversation as a language model sees it: its lines, the functions it may call, and the calls it made.
//! What a call of a function does is decided by the conversation; how all this is written for a provider is `speech`'s.

use serde_json::Value;

/// One line of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatMessage {
    /// What the model is told about its part.
    System(String),
    User(String),
    /// What the model said, the functions it called beside it, or both.
    Assistant {
        text: String,
        calls: Vec<ToolCall>,
    },
    /// What came of the call with that [`ToolCall::id`]; stands behind the line that made it.
    Tool {
        id: String,
        result: String,
    },
}

/// A function the model may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolDefinition {
    pub name: String,
    pub description: String,
    /// JSON Schema of the arguments, an object.
    pub parameters: Value,
}

/// A function the model called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The provider's name of this call.
    pub id: String,
    pub name: String,
    /// JSON as the model wrote it: it need not be valid, nor fit the parameters.
    pub arguments: String,
}

// === impl ChatMessage ===

impl ChatMessage {
    /// Characters of all its texts.
    pub fn characters(&self) -> usize {
        match self {
            Self::System(text) | Self::User(text) | Self::Tool { result: text, .. } => text.chars().count(),
            Self::Assistant { text, calls } => {
                text.chars().count() + calls.iter().map(|call| call.arguments.chars().count()).sum::<usize>()
            }
        }
    }

    /// What the model said without calling anything.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::Assistant { text: text.into(), calls: Vec::new() }
    }
}
