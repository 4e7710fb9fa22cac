//! A roll-out: nodes are drained in groups, stopped when empty or after their limit, and started again.
//! What a draining node answers is the node's business.

use std::time::Duration;

use engine::clock::Moment;

use super::node::{Health, Node};
use super::plan::RollOut;

/// How a roll-out went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rolled {
    /// Nodes that were replaced, and those among them that still had calls when their limit was over.
    pub nodes: usize,
    pub over_limit: usize,
    /// When it began and when the last node was up again.
    pub began: Option<Moment>,
    pub over: Option<Moment>,
}

/// Rolls on.
#[derive(Debug)]
pub struct RollingOut {
    plan: RollOut,
    /// Until the dispatcher knows that a node is back; the next group waits for it, or for a moment both are missed.
    known_after: Duration,
    /// Groups that are still to come, the next one last.
    groups: Vec<Vec<usize>>,
    /// The group at hand.
    group: Vec<Turn>,
    pub rolled: Rolled,
}

#[derive(Debug)]
struct Turn {
    node: usize,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Draining { until: Moment },
    Restarting { until: Moment },
    Returning { until: Moment },
}

// === impl RollingOut ===

impl RollingOut {
    /// `known_after`: the dispatcher asks so often whether nodes are up.
    pub fn new(plan: RollOut, nodes: usize, known_after: Duration) -> Self {
        // Every n-th node, so that a group is spread over the fleet.
        let groups = nodes.div_ceil(plan.at_once);
        let mut groups: Vec<Vec<usize>> = (0..groups).map(|first| (first..nodes).step_by(groups).collect()).collect();
        groups.reverse();
        Self { plan, known_after, groups, group: Vec::new(), rolled: Rolled::default() }
    }

    pub fn go_on(&mut self, now: Moment, nodes: &mut [Node]) {
        if now.since(Moment::default()) < self.plan.at || self.rolled.over.is_some() {
            return;
        }
        self.rolled.began.get_or_insert(now);
        let (plan, known_after, rolled) = (self.plan, self.known_after, &mut self.rolled);
        self.group.retain_mut(|turn| {
            let Some(node) = nodes.get_mut(turn.node) else { return false };
            match turn.step {
                Step::Draining { until } if node.is_empty() || now >= until => {
                    rolled.over_limit += usize::from(!node.is_empty());
                    node.stop(now);
                    turn.step = Step::Restarting { until: now + plan.restart };
                    true
                }
                Step::Restarting { until } if now >= until => {
                    node.health = Health::Up;
                    rolled.nodes += 1;
                    turn.step = Step::Returning { until: now + known_after };
                    true
                }
                Step::Returning { until } => now < until,
                _ => true,
            }
        });
        if !self.group.is_empty() {
            return;
        }
        let Some(group) = self.groups.pop() else {
            self.rolled.over = Some(now);
            return;
        };
        for n in group {
            // A node that is dead anyway is not drained.
            if let Some(node) = nodes.get_mut(n).filter(|node| node.health == Health::Up) {
                node.health = Health::Draining;
                self.group.push(Turn { node: n, step: Step::Draining { until: now + plan.limit } });
            }
        }
    }
}
