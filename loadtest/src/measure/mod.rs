//! Numbers from what came over the wire: packet spacing, alignment of heard audio, voiced frames, latency.
//! Pure code on values handed in, but for what the kernel says of a process; nothing here owns a socket or reads a clock.

pub mod alignment;
pub mod histogram;
pub mod level;
mod path;
pub mod process;
pub mod spacing;
