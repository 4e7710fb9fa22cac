//! The dispatcher as `deploy/kamailio/kamailio.cfg` has it: which node is asked, and which are thought to be away.
//! It knows of a node what its answers tell; whether a node really is up is the node's business.

use std::time::Duration;

use engine::clock::Moment;

use super::node::Answer;
use super::plan::Plan;

/// Which node is asked first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Balance {
    /// The next in turn, as the shipped configuration has it
    #[default]
    RoundRobin,
    /// The one with the fewest calls
    FewestCalls,
}

#[derive(Debug)]
pub struct Dispatcher {
    balance: Balance,
    nodes: Vec<Seen>,
    next: usize,
    fr_timer: Duration,
    ping_every: Duration,
    next_ping: Moment,
    /// Nodes that have not answered OPTIONS yet, and when that is taken for a no.
    unanswered: Vec<(Moment, usize)>,
}

/// A node as the dispatcher sees it.
#[derive(Debug, Clone, Copy)]
struct Seen {
    up: bool,
    /// Calls it was given and that are not over.
    calls: usize,
}

// === impl Dispatcher ===

impl Dispatcher {
    pub fn new(plan: &Plan) -> Self {
        Self {
            balance: plan.balance,
            nodes: vec![Seen { up: true, calls: 0 }; plan.nodes],
            next: 0,
            fr_timer: plan.fr_timer,
            ping_every: plan.ping_every,
            next_ping: Moment::default(),
            unanswered: Vec::new(),
        }
    }

    /// The node a call goes to, but for those that were `tried`; `None`: 503, there is nobody.
    pub fn choose(&mut self, tried: &[usize]) -> Option<usize> {
        let free = |n: &usize| self.nodes.get(*n).is_some_and(|seen| seen.up) && !tried.contains(n);
        let count = self.nodes.len();
        let in_turn = (self.next..count).chain(0..self.next).filter(free);
        let chosen = match self.balance {
            Balance::RoundRobin => in_turn.take(1).next(),
            // The first of those with as many.
            Balance::FewestCalls => in_turn.min_by_key(|n| self.nodes.get(*n).map_or(0, |seen| seen.calls)),
        }?;
        self.next = (chosen + 1) % count;
        Some(chosen)
    }

    /// A node took a call.
    pub fn placed(&mut self, node: usize) {
        if let Some(seen) = self.nodes.get_mut(node) {
            seen.calls += 1;
        }
    }

    /// So many calls are up on a node.
    pub fn count(&mut self, node: usize, calls: usize) {
        if let Some(seen) = self.nodes.get_mut(node) {
            seen.calls = calls;
        }
    }

    /// A node did not answer an INVITE.
    pub fn mark_down(&mut self, node: usize) {
        if let Some(seen) = self.nodes.get_mut(node) {
            seen.up = false;
        }
    }

    /// Sends OPTIONS to all nodes when it is time, and takes silence for a no when that is.
    pub fn ping(&mut self, now: Moment, answer: impl Fn(usize) -> Answer) {
        let nodes = &mut self.nodes;
        self.unanswered.retain(|(until, n)| {
            let is_over = now >= *until;
            if let Some(seen) = nodes.get_mut(*n).filter(|_| is_over) {
                seen.up = false;
            }
            !is_over
        });
        if now < self.next_ping {
            return;
        }
        self.next_ping = now + self.ping_every;
        for (n, seen) in self.nodes.iter_mut().enumerate() {
            match answer(n) {
                Answer::Taken => seen.up = true,
                Answer::Unavailable => seen.up = false,
                Answer::Silence => self.unanswered.push((now + self.fr_timer, n)),
            }
        }
    }
}
