//! Which node takes the next call: a version by its weight, then the node of it with the most room.
//! What is known of the nodes, and since when, is `object`'s.

use std::collections::BTreeMap;

use edge_protocol::link::NodeStatus;
use edge_protocol::live::NodeSummary;

/// Shares of the calls by version. Without any, versions are not told apart; a version without a weight has zero.
pub type Weights = BTreeMap<String, u32>;

/// A node as routing sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub node: NodeSummary,
    /// Calls sent there since its last report.
    pub sent: u32,
    /// An admin drains it, whether it knows already or not.
    pub drained: bool,
}

// === impl Candidate ===

impl Candidate {
    /// May it be given a call?
    pub fn takes_calls(&self) -> bool {
        let heartbeat = &self.node.heartbeat;
        self.node.alive && !self.drained && heartbeat.status == NodeStatus::Ok && self.calls() < heartbeat.max_calls
    }

    fn calls(&self) -> u32 {
        self.node.heartbeat.active_calls.saturating_add(self.sent)
    }

    fn version(&self) -> &str {
        &self.node.heartbeat.version
    }

    fn load(&self) -> f64 {
        f64::from(self.calls()) / f64::from(self.node.heartbeat.max_calls.max(1))
    }
}

/// The node of the next call; `draw` is a random number from 0 to 1. `None`: no node takes calls.
pub fn choose<'a>(candidates: &'a [Candidate], weights: &Weights, draw: f64) -> Option<&'a Candidate> {
    let open: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.takes_calls()).collect();
    let version = draw_version(&open, weights, draw);
    let of_version = open.into_iter().filter(|candidate| version.is_none_or(|version| candidate.version() == version));
    of_version.min_by(|one, other| {
        one.load().total_cmp(&other.load()).then_with(|| one.node.heartbeat.node.cmp(&other.node.heartbeat.node))
    })
}

/// The version drawn among those with an open node; `None`: any will do.
fn draw_version<'a>(open: &[&'a Candidate], weights: &Weights, draw: f64) -> Option<&'a str> {
    let mut shares: BTreeMap<&str, u32> = BTreeMap::new();
    for candidate in open {
        let version = candidate.version();
        shares.insert(version, weights.get(version).copied().unwrap_or(0));
    }
    let total: u64 = shares.values().map(|weight| u64::from(*weight)).sum();
    if total == 0 {
        return None;
    }
    let mut left = draw.clamp(0.0, 1.0) * total as f64;
    let weighted = shares.into_iter().filter(|(_, weight)| *weight > 0);
    let mut last = None;
    for (version, weight) in weighted {
        last = Some(version);
        left -= f64::from(weight);
        if left < 0.0 {
            break;
        }
    }
    last
}

/// Weight of each candidate in Kamailio's dispatcher, percent, in their order: together 100, 0 for a node that takes no
/// calls. A version's share is divided among its nodes by their size.
pub fn dispatcher_weights(candidates: &[Candidate], weights: &Weights) -> Vec<u32> {
    let open: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.takes_calls()).collect();
    let weighted = open.iter().any(|candidate| weights.get(candidate.version()).is_some_and(|weight| *weight > 0));
    let size_of = |version: &str| -> f64 {
        open.iter()
            .filter(|other| other.version() == version)
            .map(|other| f64::from(other.node.heartbeat.max_calls))
            .sum()
    };
    let share = |candidate: &Candidate| {
        let size = f64::from(candidate.node.heartbeat.max_calls);
        match (candidate.takes_calls(), weighted) {
            (false, _) => 0.0,
            (true, false) => size,
            (true, true) => {
                let weight = weights.get(candidate.version()).copied().unwrap_or(0);
                f64::from(weight) * size / size_of(candidate.version())
            }
        }
    };
    percentages(&candidates.iter().map(share).collect::<Vec<f64>>())
}

/// Whole percentages that sum to 100: what rounding down leaves goes to the largest remainders.
fn percentages(shares: &[f64]) -> Vec<u32> {
    let total: f64 = shares.iter().sum();
    if total <= 0.0 {
        return vec![0; shares.len()];
    }
    let exact: Vec<f64> = shares.iter().map(|share| share / total * 100.0).collect();
    let mut rounded: Vec<u32> = exact.iter().map(|share| share.floor() as u32).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    let remainder = |at: &usize| exact.get(*at).map_or(0.0, |share| share.fract());
    order.sort_by(|one, other| remainder(other).total_cmp(&remainder(one)));
    let missing = 100u32.saturating_sub(rounded.iter().sum());
    for at in order.into_iter().take(missing as usize) {
        if let Some(share) = rounded.get_mut(at) {
            *share += 1;
        }
    }
    rounded
}

#[cfg(test)]
mod tests;
