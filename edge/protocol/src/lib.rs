//! The contract between engine, edge and clients: versioned serde types of every message.
//! Only shapes, their names and how a request is signed live here; no I/O, nothing that needs a runtime.

pub mod accounts;
pub mod admission;
pub mod call_session;
pub mod delivery;
mod event;
mod identity;
pub mod link;
pub mod live;
pub mod media;
mod quality;
pub mod recordings;
pub mod signature;
mod usage;

pub use event::{
    CallEvent, Direction, EndCause, EventKind, MediaProblem, SipStatus, SpeechStage, TransferMode, TurnLatency, VERSION,
};
pub use identity::{Attestation, CallerIdentity};
pub use quality::MediaQuality;
pub use usage::{ProviderUsage, UsageStage};
