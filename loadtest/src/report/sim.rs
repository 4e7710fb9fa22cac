//! The report of `loadtest sim`: what became of the calls, what callers heard, and how the fleet came back.
//! Running it is `sim`; the page with plots is `page`.

mod page;

use std::fmt;

use serde::Serialize;

use super::table::Table;
use crate::measure::histogram::Percentiles;
use crate::sim::{Found, Plan, Recovery, Second, recovery};

pub use page::page;

/// What was found of what was planned. The same for the same plan and seed, to the byte.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SimReport {
    pub seed: u64,
    pub nodes: usize,
    pub node_capacity: usize,
    pub virtual_s: f64,
    /// How much of it was real, see `sim`.
    pub model: Model,
    /// Calls dialled; those among them that dialled again after their call was lost.
    pub offered: u64,
    pub redialled: u64,
    pub answered: u64,
    pub refused: u64,
    /// Calls still being set up at the end.
    pub unfinished: u64,
    pub most_at_once: u64,
    /// Of the calls that were answered: how they ended.
    pub completed: u64,
    pub lost: u64,
    pub cut_by_drain: u64,
    pub ended_by_call: u64,
    pub up_at_end: u64,
    pub one_way: OneWay,
    /// INVITE to 200.
    pub setup: Percentiles,
    /// Last speech frame sent → first voiced frame back, in calls that converse; all of them, and while providers were slow.
    pub caller_heard: Percentiles,
    pub caller_heard_while_slow: Percentiles,
    pub questions: u64,
    pub answered_inside: u64,
    pub unanswered: u64,
    /// Times a node was passed over because it was full or draining, or because it was silent.
    pub passed_on: u64,
    pub timed_out: u64,
    pub node_loss: Option<LossReport>,
    pub roll_out: Option<RollOutReport>,
    /// Most calls of each node.
    pub node_peaks: Vec<usize>,
    /// By stretches of 10 s: their start, and what was heard in them.
    pub caller_heard_by_time: Vec<(u64, Percentiles)>,
    pub seconds: Vec<Second>,
    /// Sequence numbers or timestamps of returned packets that did not go on.
    pub breaks: u64,
    pub interrupted: bool,
}

/// How much was the engine's own, and how much it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Model {
    /// One call in so many conversed to its end; the others carried media until both directions were proven.
    pub media_one_in: u64,
    /// `Call`s that were made, each on its own, and ticked; those among them that conversed to their end.
    pub call_instances: u64,
    pub conversing: u64,
    /// Bytes of a `Call` itself, without what it has on the heap.
    pub call_bytes: usize,
    pub ticks: u64,
    pub packets_in: u64,
    pub packets_out: u64,
    pub speech_requests: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OneWay {
    /// Calls that were given a dead direction; some end before it is noticed.
    pub made: u64,
    /// Found by the caller, who heard nothing, and by the call, which got nothing.
    pub found_by_caller: u64,
    pub found_by_call: u64,
    /// Found without a cause.
    pub unexpected: u64,
    /// Calls of which both directions were heard.
    pub both_ways: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LossReport {
    pub at_s: f64,
    pub nodes: usize,
    #[serde(flatten)]
    pub recovery: Recovery,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RollOutReport {
    pub nodes: usize,
    /// Nodes that still had calls when their drain limit was over.
    pub over_limit: usize,
    pub began_s: Option<f64>,
    /// `None`: it was not over by the end.
    pub took_s: Option<f64>,
}

// === impl SimReport ===

impl SimReport {
    pub fn new(plan: &Plan, found: &Found) -> Self {
        let counts = &found.counts;
        let by_time = found.by_stretch.iter().zip(0_u64..).filter(|(times, _)| times.count() > 0);
        Self {
            seed: plan.seed,
            nodes: plan.nodes,
            node_capacity: plan.node_capacity,
            virtual_s: found.passed.as_secs_f64(),
            model: Model {
                media_one_in: plan.media_one_in,
                call_instances: counts.calls,
                conversing: counts.conversing,
                call_bytes: size_of::<engine::call::Call>(),
                ticks: counts.ticks,
                packets_in: counts.packets_in,
                packets_out: counts.packets_out,
                speech_requests: counts.speech_requests,
            },
            offered: found.offered,
            redialled: found.redialled,
            answered: found.answered,
            refused: found.refused,
            unfinished: found.unfinished,
            most_at_once: found.most_up,
            completed: counts.completed,
            lost: counts.lost,
            cut_by_drain: counts.cut_by_drain,
            ended_by_call: counts.ended_by_call,
            up_at_end: counts.up_at_end,
            one_way: OneWay {
                made: counts.one_way_made,
                found_by_caller: counts.one_way_to_caller,
                found_by_call: counts.one_way_from_caller,
                unexpected: counts.one_way_unexpected,
                both_ways: counts.proven,
            },
            setup: found.setup.percentiles(),
            caller_heard: found.caller_heard.percentiles(),
            caller_heard_while_slow: found.while_slow.percentiles(),
            questions: counts.questions,
            answered_inside: counts.answered_inside,
            unanswered: counts.unanswered,
            passed_on: found.passed_on,
            timed_out: found.timed_out,
            node_loss: plan.loss.filter(|loss| found.passed > loss.at).map(|loss| LossReport {
                at_s: loss.at.as_secs_f64(),
                nodes: loss.nodes,
                recovery: recovery(&found.seconds, loss.at),
            }),
            roll_out: found.rolled.filter(|rolled| rolled.began.is_some()).map(|rolled| RollOutReport {
                nodes: rolled.nodes,
                over_limit: rolled.over_limit,
                began_s: rolled.began.map(|began| began.0 as f64 / 1e6),
                took_s: rolled.began.zip(rolled.over).map(|(began, over)| over.since(began).as_secs_f64()),
            }),
            node_peaks: found.peaks.clone(),
            caller_heard_by_time: by_time.map(|(times, n)| (n * STRETCH_S, times.percentiles())).collect(),
            seconds: found.seconds.clone(),
            breaks: counts.breaks,
            interrupted: found.interrupted,
        }
    }

    /// What the plan does not explain, as plain sentences: a fault of the engine's, or of the simulation's.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let ends = self.completed + self.lost + self.cut_by_drain + self.ended_by_call + self.up_at_end;
        let ends = ends + self.one_way.found_by_caller + self.one_way.found_by_call;
        if ends != self.answered {
            problems.push(format!("{} calls were answered, but {ends} are accounted for", self.answered));
        }
        if self.offered != self.answered + self.refused + self.unfinished {
            problems.push(format!("{} calls were dialled, but not all were answered or refused", self.offered));
        }
        for (count, what) in [
            (self.one_way.unexpected, "calls were one-way without a cause"),
            (self.ended_by_call, "calls ended themselves"),
            (self.breaks, "packets did not go on where the one before ended"),
        ] {
            if count > 0 {
                problems.push(format!("{count} {what}"));
            }
        }
        problems
    }
}

/// Length of a stretch of `caller_heard_by_time`, s.
const STRETCH_S: u64 = crate::sim::STRETCH.as_secs();

impl fmt::Display for SimReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::default();
        let Model { media_one_in, call_instances, conversing, call_bytes, ticks, packets_in, .. } = self.model;
        table
            .row(
                "simulated",
                format!(
                    "{} s, {} nodes of {} calls, seed {}, at most {} calls at once",
                    self.virtual_s, self.nodes, self.node_capacity, self.seed, self.most_at_once
                ),
            )
            .row(
                "real in it",
                format!("{call_instances} calls of {call_bytes} bytes, {ticks} ticks, {packets_in} packets taken"),
            )
            .row("conversing to their end", format!("{conversing} calls, one in {media_one_in}"))
            .row("calls", format!("{} offered, {} answered, {} refused", self.offered, self.answered, self.refused))
            .row(
                "how they ended",
                format!(
                    "{} completed, {} lost, {} cut off by a drain, {} ended themselves, {} up at the end",
                    self.completed, self.lost, self.cut_by_drain, self.ended_by_call, self.up_at_end
                ),
            )
            .row(
                "one-way audio",
                format!(
                    "{} made, {} found by callers, {} by calls, {} unexpected; {} heard both ways",
                    self.one_way.made,
                    self.one_way.found_by_caller,
                    self.one_way.found_by_call,
                    self.one_way.unexpected,
                    self.one_way.both_ways
                ),
            )
            .row("call set-up", spread(&self.setup))
            .row("caller-heard latency", spread(&self.caller_heard));
        if self.caller_heard_while_slow.count > 0 {
            table.row("  while providers were slow", spread(&self.caller_heard_while_slow));
        }
        table
            .row(
                "questions",
                format!(
                    "{}, {} answered before their end, {} unanswered",
                    self.questions, self.answered_inside, self.unanswered
                ),
            )
            .row("passed to another node", format!("{} after 503, {} after silence", self.passed_on, self.timed_out));
        if let Some(loss) = &self.node_loss {
            let after = |s: Option<u64>| s.map_or("not by the end".to_owned(), |s| format!("{s} s"));
            table.row(
                format!("{} node(s) lost at {} s", loss.nodes, loss.at_s),
                format!(
                    "{} calls lost, {} set-ups delayed; set-up as before after {}, calls up after {}",
                    loss.recovery.lost,
                    loss.recovery.delayed,
                    after(loss.recovery.set_up_s),
                    after(loss.recovery.calls_up_s)
                ),
            );
        }
        if let Some(roll_out) = &self.roll_out {
            let took = roll_out.took_s.map_or("not over by the end".to_owned(), |s| format!("{s:.0} s"));
            table.row(
                "roll-out",
                format!("{} nodes, {took}; {} reached their drain limit", roll_out.nodes, roll_out.over_limit),
            );
        }
        let (least, most) = (self.node_peaks.iter().min(), self.node_peaks.iter().max());
        if let Some((least, most)) = least.zip(most) {
            table.row("most calls of a node", format!("{least} to {most}"));
        }
        write!(f, "{table}")
    }
}

fn spread(times: &Percentiles) -> String {
    if times.count == 0 { times.to_string() } else { format!("{times} of {}", times.count) }
}
