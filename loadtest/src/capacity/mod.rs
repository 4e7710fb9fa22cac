//! What so many calls take: cores, memory, ports, bandwidth, and money a month, from what was measured and what is charged.
//! Pure arithmetic; the figures it begins with are `assumptions`, what Cloudflare charges is `prices`.

mod assumptions;
mod edge;
mod machines;
mod plan;
mod prices;

pub use assumptions::{AssumptionError, Assumptions};
pub use edge::EdgeLine;
pub use machines::Machines;
pub use plan::CapacityPlan;

#[cfg(test)]
mod tests;
