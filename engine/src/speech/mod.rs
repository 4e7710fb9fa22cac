//! Hearing, thinking and speaking: the ports a call's turn is served through.
//! Who serves them is `openai` (any OpenAI-compatible base URL) and `anthropic`; `offline` is such a server on loopback.

pub mod anthropic;
mod bill;
mod breaker;
mod desk;
mod http;
mod kept_voice;
pub mod offline;
pub mod openai;
mod ports;
mod prompts;
pub mod realtime;
mod route;
pub mod sentences;
mod tariff;
mod voice;

pub use breaker::BreakerSettings;
pub use desk::{Desk, Providers};
pub use kept_voice::KeptVoice;
pub use ports::{
    ChatDelta, ChatMessage, ChatStream, PcmStream, Provider, Responder, SpeechError, Synthesizer, Tokens, ToolCall,
    ToolDefinition, Transcriber, VoiceStream, hearing_time,
};
pub use prompts::Prompts;
pub use route::{Route, RouteSettings, Served};
pub use tariff::{Prices, RealtimePrices, Tariff};
