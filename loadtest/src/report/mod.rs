//! What a run found, for people (tables) and for scripts (JSON).
//! Nothing is measured here; numbers come from `measure`, `caller` and `script::judge`.

mod feel;
mod fleet;
mod hold;
mod live;
mod media;
mod node;
mod plot;
mod sim;
mod table;
mod talk;

pub use feel::{FeelReport, page};
pub use fleet::{CallResult, FleetCounts, FleetReport, StreamReport, fleet_page};
pub use hold::{HeldCall, HoldReport};
pub use live::Live;
pub use media::MediaReport;
pub use node::{NodeSample, NodeUsage};
pub use sim::{SimReport, page as sim_page};
pub use table::Table;
pub use talk::TalkReport;

#[cfg(test)]
mod tests;
