//! Callers that dial Tandem over the wire, with their own SIP and RTP, and check what comes back.
//! Nothing here runs inside the node; of the engine only codecs and packet formats are used.

pub mod ai_stub;
pub mod caller;
pub mod cli;
pub mod fleet;
pub mod measure;
pub mod node_events;
pub mod report;
pub mod script;
pub mod talk;
pub mod voice;
pub mod wav;
