//! Tandem's media engine: calls as pure state machines, the shards that run them, the speech they use.
//! Signalling is `sip-bridge`; the shapes of what leaves the engine are `edge-protocol`.

pub mod api;
pub mod audio;
pub mod call;
pub mod clock;
pub mod config;
pub mod control;
pub mod node;
pub mod recorder;
pub mod rtp;
pub mod shard;
pub mod speech;
pub mod transport;
