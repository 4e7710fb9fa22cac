//! Tandem's media engine: calls as pure state machines, the shards that run them, the speech they use.
//! Signalling is `sip-bridge`; the shapes of what leaves the engine are `edge-protocol`.

pub mod api;
mod atomic_file;
pub mod audio;
mod backoff;
pub mod call;
pub mod clock;
pub mod config;
pub mod control;
mod destination;
pub mod dir_lock;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod node;
pub mod recorder;
pub mod rtp;
pub mod shard;
pub mod speech;
pub mod tools;
pub mod transport;
mod wall_clock;
