//! What is simulated: how many calls on how many nodes, and what goes wrong when.
//! Only numbers; what comes of them is `fleet`.

use std::time::Duration;

use thiserror::Error;

use super::dispatcher::Balance;
use super::provider::Stages;

#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    /// Calls that are up at once, from the end of the ramp on.
    pub calls: usize,
    pub nodes: usize,
    /// Most calls of one node.
    pub node_capacity: usize,
    /// How long it takes until `calls` are up.
    pub ramp: Duration,
    /// How long a call lasts on average; between half and one and a half of it.
    pub hold: Duration,
    /// Virtual time in all.
    pub length: Duration,
    /// One call in so many converses to its end, see the module's page.
    pub media_one_in: u64,
    pub balance: Balance,
    /// Silence after which the dispatcher passes a node over.
    pub fr_timer: Duration,
    pub ping_every: Duration,
    pub stages: Stages,
    pub loss: Option<NodeLoss>,
    /// Share of the callers that lost their call who dial again, 0 to 1, and how long that takes them on average.
    pub redial: f64,
    pub redial_after: Duration,
    pub roll_out: Option<RollOut>,
    pub slowdown: Option<Slowdown>,
    pub waves: Vec<Wave>,
    /// Share of the calls of which one direction is dead, 0 to 1.
    pub one_way: f64,
    /// How many threads advance nodes; the result does not depend on it.
    pub threads: usize,
}

/// A node dies with its calls.
#[derive(Debug, Clone, Copy)]
pub struct NodeLoss {
    pub at: Duration,
    pub nodes: usize,
    /// Until it is up again; `None`: never.
    pub back_after: Option<Duration>,
}

/// Every node is drained, stopped and started again, so many at once.
#[derive(Debug, Clone, Copy)]
pub struct RollOut {
    pub at: Duration,
    pub at_once: usize,
    /// A node is stopped after so long even with calls (`drain_seconds` of a node).
    pub limit: Duration,
    /// From stop to start.
    pub restart: Duration,
}

/// Providers take `factor` times as long.
#[derive(Debug, Clone, Copy)]
pub struct Slowdown {
    pub at: Duration,
    pub length: Duration,
    pub factor: f64,
}

/// Callers dial `factor` times as often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wave {
    pub at: Duration,
    pub length: Duration,
    pub factor: f64,
}

/// Why a plan cannot be run.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum PlanError {
    #[error("{0} is 0, so that nothing would happen")]
    Nothing(&'static str),
    #[error("{name} is {value}, which is no share from 0 to 1")]
    NoShare { name: &'static str, value: f64 },
    #[error("{name} is {value}, which is no positive number")]
    NoFactor { name: &'static str, value: f64 },
    #[error("{nodes} of {of} nodes cannot be lost or drained at once")]
    TooMany { nodes: usize, of: usize },
    #[error("a ramp of {} s is longer than the shortest call ({} s): calls would end before all are up", .ramp.as_secs_f64(), .shortest.as_secs_f64())]
    RampTooLong { ramp: Duration, shortest: Duration },
}

// === impl Plan ===

impl Plan {
    /// # Errors
    /// [`PlanError`] names what cannot be.
    pub fn check(&self) -> Result<(), PlanError> {
        for (name, is_zero) in [
            ("the number of calls", self.calls == 0),
            ("the number of nodes", self.nodes == 0),
            ("a node's capacity", self.node_capacity == 0),
            ("the share of calls that converse", self.media_one_in == 0),
            ("the length of a call", self.hold.is_zero()),
            ("the length of the run", self.length.is_zero()),
            ("the ramp", self.ramp.is_zero()),
            ("the time between pings", self.ping_every.is_zero()),
        ] {
            if is_zero {
                return Err(PlanError::Nothing(name));
            }
        }
        for (name, value) in [("the share that dials again", self.redial), ("the share of one-way calls", self.one_way)]
        {
            if !(0.0..=1.0).contains(&value) {
                return Err(PlanError::NoShare { name, value });
            }
        }
        let factors = self.waves.iter().map(|wave| ("a wave's factor", wave.factor));
        for (name, value) in factors.chain(self.slowdown.map(|slow| ("the slowdown's factor", slow.factor))) {
            if !(value.is_finite() && value > 0.0) {
                return Err(PlanError::NoFactor { name, value });
            }
        }
        let at_once = self.roll_out.map(|roll_out| roll_out.at_once);
        if at_once == Some(0) {
            return Err(PlanError::Nothing("the number of nodes drained at once"));
        }
        for nodes in self.loss.map(|loss| loss.nodes).into_iter().chain(at_once) {
            if nodes > self.nodes {
                return Err(PlanError::TooMany { nodes, of: self.nodes });
            }
        }
        if self.ramp > self.shortest_call() {
            return Err(PlanError::RampTooLong { ramp: self.ramp, shortest: self.shortest_call() });
        }
        Ok(())
    }

    pub fn shortest_call(&self) -> Duration {
        self.hold / 2
    }

    pub fn longest_call(&self) -> Duration {
        self.hold * 3 / 2
    }

    /// How much longer providers take at `at`.
    pub fn slowness(&self, at: Duration) -> f64 {
        let slow = self.slowdown.filter(|slow| (slow.at..slow.at + slow.length).contains(&at));
        slow.map_or(1.0, |slow| slow.factor)
    }
}
