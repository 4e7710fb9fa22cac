//! The run itself: epoch by epoch callers dial, the dispatcher places them, nodes die and drain, and all nodes live on.
//! What each of them does is beside it; what came of it is said by `report::SimReport`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine::clock::Moment;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use tokio_util::sync::CancellationToken;

use super::EPOCH;
use super::arrivals::{Arrivals, Kind};
use super::call::{self, NewCall};
use super::counts::Counts;
use super::dispatcher::Dispatcher;
use super::node::{Answer, Health, Node};
use super::plan::{Plan, PlanError};
use super::roll_out::{Rolled, RollingOut};
use super::series::{Second, Series};
use crate::measure::histogram::Durations;

/// INVITE to 200 and the way there and back, where the first node takes the call: as measured (`make load`).
const SET_UP: Duration = Duration::from_millis(2);
/// A node that refuses, and the next one asked.
const REFUSAL: Duration = Duration::from_millis(1);
/// Latencies are also kept by stretches of this length.
pub const STRETCH: Duration = Duration::from_secs(10);

/// How far a run is, for a progress display.
#[derive(Debug, Default)]
pub struct Progress {
    /// Virtual time, ms.
    pub at_ms: AtomicU64,
    pub up: AtomicU64,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    pub counts: Counts,
    pub offered: u64,
    pub redialled: u64,
    /// 200 was sent.
    pub answered: u64,
    /// 503: no node took them.
    pub refused: u64,
    /// Calls still being set up when the run was over.
    pub unfinished: u64,
    /// Times a node was passed over because it was full or draining, or because it was silent.
    pub passed_on: u64,
    pub timed_out: u64,
    pub most_up: u64,
    pub setup: Durations,
    pub caller_heard: Durations,
    /// The same by [`STRETCH`].
    pub by_stretch: Vec<Durations>,
    /// While providers were slow.
    pub while_slow: Durations,
    pub seconds: Vec<Second>,
    /// Most calls of each node.
    pub peaks: Vec<usize>,
    pub rolled: Option<Rolled>,
    /// Virtual time that passed.
    pub passed: Duration,
    pub interrupted: bool,
}

/// A call that is being set up.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Dialling {
    due: Moment,
    number: u64,
    dialled: Moment,
    hold: Duration,
    tried: Vec<usize>,
    /// The last of `tried` said nothing.
    silent: bool,
}

struct Fleet<'a> {
    plan: &'a Plan,
    rng: SmallRng,
    nodes: Vec<Node>,
    dispatcher: Dispatcher,
    arrivals: Arrivals,
    dialling: BinaryHeap<Reverse<Dialling>>,
    series: Series,
    found: Found,
    /// Nodes that are down by accident, and when they are back.
    dead: Vec<(usize, Option<Moment>)>,
    lost_already: bool,
}

/// Runs the plan. Cancelling `stop` ends all calls and tells what was found until then.
///
/// # Errors
/// [`PlanError`] if the plan makes no sense.
pub fn run(plan: &Plan, progress: &Progress, stop: &CancellationToken) -> Result<Found, PlanError> {
    plan.check()?;
    let agent = call::agent(plan);
    let mut fleet = Fleet::new(plan);
    let mut rolling = plan.roll_out.map(|roll_out| RollingOut::new(roll_out, plan.nodes, plan.ping_every));
    let mut now = Moment::default();
    let end = now + plan.length;
    while now < end && !stop.is_cancelled() {
        let to = (now + EPOCH).min(end);
        fleet.lose_nodes(now);
        if let Some(rolling) = rolling.as_mut() {
            rolling.go_on(now, &mut fleet.nodes);
        }
        let nodes = &fleet.nodes;
        fleet.dispatcher.ping(now, |n| nodes.get(n).map_or(Answer::Silence, Node::options));
        fleet.dial(now, to);
        fleet.set_up(to);
        let share = fleet.nodes.len().div_ceil(plan.threads.max(1));
        std::thread::scope(|threads| {
            for nodes in fleet.nodes.chunks_mut(share) {
                let agent = &agent;
                threads.spawn(move || nodes.iter_mut().for_each(|node| node.advance(now, to, plan, agent)));
            }
        });
        fleet.look(now);
        progress.at_ms.store(to.millis_since(Moment::default()), Ordering::Relaxed);
        progress.up.store(fleet.series.at(now).up, Ordering::Relaxed);
        now = to;
    }
    fleet.found.interrupted = now < end;
    fleet.found.rolled = rolling.map(|rolling| rolling.rolled);
    Ok(fleet.finish(now))
}

// === impl Fleet ===

impl<'a> Fleet<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            rng: SmallRng::seed_from_u64(plan.seed),
            nodes: (0..plan.nodes).map(|_| Node::new(plan.node_capacity)).collect(),
            dispatcher: Dispatcher::new(plan),
            arrivals: Arrivals::new(plan),
            dialling: BinaryHeap::new(),
            series: Series::default(),
            found: Found::default(),
            dead: Vec::new(),
            lost_already: false,
        }
    }

    /// Nodes die, and come back.
    fn lose_nodes(&mut self, now: Moment) {
        let Some(loss) = self.plan.loss else { return };
        if !self.lost_already && now.since(Moment::default()) >= loss.at {
            self.lost_already = true;
            let mut up: Vec<usize> = (0..self.nodes.len())
                .filter(|n| self.nodes.get(*n).is_some_and(|node| node.health == Health::Up))
                .collect();
            up.shuffle(&mut self.rng);
            for n in up.into_iter().take(loss.nodes) {
                let lost = self.nodes.get_mut(n).map_or(0, Node::die);
                self.dead.push((n, loss.back_after.map(|after| now + after)));
                self.series.at(now).lost += lost as u64;
                for _ in 0..lost {
                    if self.rng.random_bool(self.plan.redial) {
                        let after = self.plan.redial_after.mul_f64(self.rng.random_range(0.5..=1.5));
                        let hold = self.arrivals.hold(Kind::UnderWay, &mut self.rng);
                        self.call_in(now + after, hold, true);
                    }
                }
            }
        }
        let nodes = &mut self.nodes;
        self.dead.retain(|(n, back)| {
            let is_back = back.is_some_and(|back| now >= back);
            if let Some(node) = nodes.get_mut(*n).filter(|_| is_back) {
                node.health = Health::Up;
            }
            !is_back
        });
    }

    /// Callers who dial until `to`.
    fn dial(&mut self, now: Moment, to: Moment) {
        for (kind, calls) in self.arrivals.due(now.since(Moment::default()), to.since(now)) {
            for _ in 0..calls {
                let after = to.since(now).mul_f64(self.rng.random());
                let hold = self.arrivals.hold(kind, &mut self.rng);
                self.call_in(now + after, hold, false);
            }
        }
    }

    fn call_in(&mut self, at: Moment, hold: Duration, again: bool) {
        let number = self.found.offered;
        self.found.offered += 1;
        self.found.redialled += u64::from(again);
        let second = self.series.at(at);
        second.offered += 1;
        second.redialled += u64::from(again);
        let (tried, silent) = (Vec::new(), false);
        self.dialling.push(Reverse(Dialling { due: at, number, dialled: at, hold, tried, silent }));
    }

    /// What the dispatcher does until `to`.
    fn set_up(&mut self, to: Moment) {
        while self.dialling.peek().is_some_and(|Reverse(dialling)| dialling.due < to) {
            if let Some(Reverse(dialling)) = self.dialling.pop() {
                self.try_nodes(dialling);
            }
        }
    }

    /// Asks one node after the other, until one takes the call, is silent, or there is none.
    fn try_nodes(&mut self, mut dialling: Dialling) {
        if std::mem::take(&mut dialling.silent)
            && let Some(&silent) = dialling.tried.last()
        {
            self.dispatcher.mark_down(silent);
            self.found.timed_out += 1;
        }
        while let Some(n) = self.dispatcher.choose(&dialling.tried) {
            let answered = dialling.due + SET_UP;
            let starts = at_tick(answered);
            let new = NewCall { number: dialling.number, starts, ends: starts + dialling.hold };
            match self.nodes.get_mut(n).map_or(Answer::Silence, |node| node.invite(new)) {
                Answer::Taken => {
                    self.dispatcher.placed(n);
                    self.found.answered += 1;
                    let took = answered.since(dialling.dialled);
                    self.found.setup.record(took);
                    let second = self.series.at(answered);
                    second.answered += 1;
                    second.delayed += u64::from(took >= self.plan.fr_timer);
                    return;
                }
                Answer::Unavailable => {
                    self.found.passed_on += 1;
                    dialling.tried.push(n);
                    dialling.due = dialling.due + REFUSAL;
                }
                Answer::Silence => {
                    dialling.tried.push(n);
                    dialling.silent = true;
                    dialling.due = dialling.due + self.plan.fr_timer;
                    self.dialling.push(Reverse(dialling));
                    return;
                }
            }
        }
        self.found.refused += 1;
        self.series.at(dialling.due).refused += 1;
    }

    /// After an epoch that began at `now`: what is up, and what was heard.
    fn look(&mut self, now: Moment) {
        let mut up = 0;
        for (n, node) in self.nodes.iter_mut().enumerate() {
            up += node.up() as u64;
            self.dispatcher.count(n, node.up());
            for (at, after) in node.samples.heard.drain(..) {
                let at = at.since(Moment::default());
                self.found.caller_heard.record(after);
                if self.plan.slowness(at) > 1.0 {
                    self.found.while_slow.record(after);
                }
                let stretch = usize::try_from(at.as_millis() / STRETCH.as_millis()).unwrap_or(usize::MAX);
                if stretch >= self.found.by_stretch.len() {
                    self.found.by_stretch.resize_with(stretch.saturating_add(1), Durations::default);
                }
                self.found.by_stretch.iter_mut().skip(stretch).take(1).for_each(|times| times.record(after));
            }
        }
        self.series.at(now).up = up;
        self.found.most_up = self.found.most_up.max(up);
    }

    fn finish(mut self, now: Moment) -> Found {
        for node in &mut self.nodes {
            node.finish(now);
            self.found.counts.merge(&node.counts);
        }
        self.found.unfinished = self.dialling.len() as u64;
        self.found.peaks = self.nodes.iter().map(|node| node.peak).collect();
        self.found.seconds = self.series.into_seconds();
        self.found.passed = now.since(Moment::default());
        self.found
    }
}

/// Calls tick at whole frames.
fn at_tick(at: Moment) -> Moment {
    Moment(at.0.next_multiple_of(20_000))
}
