//! Speech-to-speech by OpenAI's Realtime API over a WebSocket: one session a call, behind the call's own turn-taking.
//! When a turn ends, what interrupts and what was heard is decided by the call, never by the server.

mod answer;
mod config;
mod conversation;
mod events;
mod link;
mod session;

pub use config::{Patience, RealtimeConfig, RealtimeConfigError, RealtimeError};
pub use link::{Caller, Realtime};
