//! Hearing, thinking and speaking: the ports a call's turn is served through.
//! Who serves them is `openai` (any OpenAI-compatible base URL); `offline` is such a server on loopback.

mod desk;
pub mod offline;
pub mod openai;
mod ports;
mod prompts;
pub mod sentences;
mod voice;

pub use desk::{Desk, Providers};
pub use ports::{
    ChatDelta, ChatMessage, ChatStream, Responder, SpeechError, Synthesizer, ToolCall, ToolDefinition, Transcriber,
    VoiceStream,
};
pub use prompts::Prompts;
