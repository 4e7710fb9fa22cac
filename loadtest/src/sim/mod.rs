//! What a fleet does at 200,000 calls: the engine's own calls over modelled nodes and a modelled dispatcher, in virtual time.
//! Nothing is sent anywhere and no clock is read; what was found is said by `report::SimReport`.
//!
//! # What is real
//! Every call is an [`engine::call::Call`], made with `Call::new`, given real RTP packets and ticks of 20 ms, asking for
//! speech by its own wishes, and ended with `Call::end`. All that are up lie in memory at once. What the caller hears is
//! read from the packets the call sends.
//!
//! # What is modelled
//! - **Media.** A call that converses without a pause costs 50 ticks a second, so that 200,000 of them are ten million
//!   ticks for each second of virtual time. Hence every call carries media until both directions are proven (its packets
//!   were taken, and its caller heard the greeting), and after that one call in [`Plan::media_one_in`] converses to its
//!   end. The others stay up with their media idle: they are there, they are lost, drained and ended, but they do not tick.
//!   With `media_one_in` 1 every call ticks. The report says how many ticks there were.
//! - **Nodes.** A node is its calls, a limit of them, and a state: up, draining, down. It has no CPU that runs out: what a
//!   call costs is measured by `make bench`, and how many a node holds is the plan's to say. Hence what callers hear is later
//!   by what the providers take, never by load.
//! - **The dispatcher** does what `deploy/kamailio/kamailio.cfg` does: nodes in turn (or the one with the fewest calls),
//!   OPTIONS every two seconds, a node that is silent for `fr_timer` is passed over and marked down, and 500 or 503 sends
//!   the call on to the next at once. All nodes weigh the same.
//! - **Providers** answer each stage after a log-normal time, longer while they are slow.
//! - **The network** loses, delays and reorders nothing, but for calls that were given a dead direction.
//!
//! # Time
//! Fleet and dispatcher act at every [`EPOCH`]; in between each node is on its own, which is why nodes may be advanced by
//! several threads and the result is the same for any number of them. A call lives through an epoch in one go, so that
//! its memory is touched once and not ten times.

mod arrivals;
mod call;
mod caller;
mod counts;
mod dispatcher;
mod fleet;
mod node;
mod plan;
mod provider;
mod roll_out;
mod series;
mod voices;

use std::time::Duration;

pub use counts::Counts;
pub use dispatcher::Balance;
pub use fleet::{Found, Progress, STRETCH, run};
pub use plan::{NodeLoss, Plan, PlanError, RollOut, Slowdown, Wave};
pub use provider::Stages;
pub use roll_out::Rolled;
pub use series::{Recovery, Second, recovery};

/// How long nodes are on their own.
pub const EPOCH: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests;
