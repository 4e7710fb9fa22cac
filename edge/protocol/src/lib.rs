//! The contract between engine, edge and clients: versioned serde types of every message.
//! Only shapes and their names live here; no rule, no I/O, nothing that needs a runtime.

mod event;
mod quality;

pub use event::{CallEvent, Direction, EndCause, EventKind, SpeechStage, TurnLatency, VERSION};
pub use quality::MediaQuality;
