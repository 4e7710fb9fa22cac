//! `loadtest capacity`: what so many calls take, in machines and in money.
//! The arithmetic is `capacity`; the written result is deploy/capacity.md.

use clap::Args;

use super::Outcome;
use crate::capacity::{Assumptions, CapacityPlan};

/// Work out cores, memory, ports, bandwidth and money for so many calls; every assumption is a flag
#[derive(Debug, Args)]
pub struct Capacity {
    #[command(flatten)]
    assumptions: Assumptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

// === impl Capacity ===

impl Capacity {
    pub fn run(self) -> anyhow::Result<Outcome> {
        let plan = CapacityPlan::of(&self.assumptions)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&plan)?);
        } else {
            print!("{plan}");
        }
        Ok(Outcome::Passed)
    }
}
