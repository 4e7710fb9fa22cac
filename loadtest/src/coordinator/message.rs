//! What coordinator and worker say to each other, one JSON text message each.
//! When they say it is `run`'s and `worker`'s.

use serde::{Deserialize, Serialize};

use super::job::Job;
use crate::report::FleetCounts;

/// From the coordinator.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Order {
    /// What is to be run; answered by `Ready` or `Failed`.
    Job(Box<Job>),
    /// Begin in so many ms from now.
    Start { in_ms: u64 },
    /// End all calls now; answered by `Done`.
    Stop,
}

/// From a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Told {
    Ready,
    /// Twice a second while it runs.
    Progress {
        dialled: usize,
        up: usize,
        finished: usize,
        lost: usize,
    },
    /// It is over.
    Done {
        counts: Box<FleetCounts>,
    },
    /// It cannot be run.
    Failed {
        error: String,
    },
}
