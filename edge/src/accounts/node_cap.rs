//! How many calls a node has, as well as it is known without asking it: its last report, and what was let in since.
//! What to do about a full node is `admission`'s.

use std::collections::{HashMap, VecDeque};

/// How long a report is believed; a node not heard of for longer is not held to the cap, ms.
const BELIEVED_MS: u64 = 15_000;
/// Most nodes that are remembered.
const MAX_NODES: usize = 10_000;

/// The nodes' calls.
#[derive(Debug, Default)]
pub struct NodeCalls {
    nodes: HashMap<String, Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// Active calls, and when the node said so.
    reported: Option<(u32, u64)>,
    /// Calls let in, by time, as far back as a report may be.
    admitted_ms: VecDeque<u64>,
}

// === impl NodeCalls ===

impl NodeCalls {
    /// Active calls of the node, at least; `None` if it is not known.
    pub fn of(&self, node: &str, now_ms: u64) -> Option<u32> {
        let node = self.nodes.get(node)?;
        let (calls, at_ms) = node.reported.filter(|(_, at_ms)| now_ms.saturating_sub(*at_ms) < BELIEVED_MS)?;
        let since = node.admitted_ms.iter().rev().take_while(|admitted_ms| **admitted_ms > at_ms).count();
        Some(calls.saturating_add(u32::try_from(since).unwrap_or(u32::MAX)))
    }

    /// A call was let in.
    pub fn admitted(&mut self, node: &str, now_ms: u64) {
        let Some(node) = self.node(node) else { return };
        while node.admitted_ms.front().is_some_and(|first| now_ms.saturating_sub(*first) >= BELIEVED_MS) {
            node.admitted_ms.pop_front();
        }
        node.admitted_ms.push_back(now_ms);
    }

    /// A node reported.
    pub fn report(&mut self, node: &str, calls: u32, at_ms: u64) {
        if let Some(node) = self.node(node) {
            node.reported = Some((calls, at_ms));
        }
    }

    fn node(&mut self, name: &str) -> Option<&mut Node> {
        if !self.nodes.contains_key(name) && self.nodes.len() >= MAX_NODES {
            return None;
        }
        Some(self.nodes.entry(name.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests;
