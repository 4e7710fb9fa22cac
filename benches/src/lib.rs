//! What benchmarks measure, in the state it is measured in: lines, calls, encrypted streams.
//! Times are taken in `benches/`, instructions counted in `bin/instructions.rs`; what came out is in `README.md`.

mod line;
mod running;
mod sealed;
mod speech;

pub use line::Line;
pub use running::{Bridged, Running};
pub use sealed::Sealed;
pub use speech::{QUIET, SPEECH, quiet_frame, samples};
