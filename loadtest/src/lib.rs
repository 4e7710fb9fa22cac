//! Callers that dial Tandem over the wire, with their own SIP and RTP, and check what comes back.
//! Nothing here runs inside the node. Callers share codecs and packet formats with the engine; `sim` runs its own calls.

pub mod ai_stub;
pub mod caller;
pub mod capacity;
pub mod cli;
pub mod coordinator;
pub mod echo;
pub mod feel;
pub mod fleet;
pub mod hold;
pub mod measure;
pub mod node_events;
/// The labelled set: shared with the engine's own tests in virtual time.
#[allow(clippy::unwrap_used, reason = "a file that is missing or broken is named in a panic; `feel` looks first")]
#[path = "../../engine/tests/talk/recordings.rs"]
pub mod recordings;
pub mod report;
pub mod script;
pub mod sessions;
pub mod sim;
/// Sounds beside it.
#[path = "../../engine/tests/talk/sounds.rs"]
pub mod sounds;
pub mod talk;
pub mod voice;
pub mod wav;
