//! What happened to the calls of a node, or of all nodes together.
//! Only sums and samples; what they say is `report::SimReport`.

use std::time::Duration;

use engine::clock::Moment;

/// Sums since the start; of several nodes, sums of sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// `Call`s that were made.
    pub calls: u64,
    /// Those of them that carry media to their end.
    pub conversing: u64,
    /// `Call::tick`s.
    pub ticks: u64,
    /// RTP packets given to calls, and sent by them.
    pub packets_in: u64,
    pub packets_out: u64,
    /// Wishes of calls to speech.
    pub speech_requests: u64,
    /// Calls of which both directions were heard.
    pub proven: u64,
    /// Calls that were given a dead direction.
    pub one_way_made: u64,
    /// Calls found by their caller, who heard nothing; and by the call itself, which got nothing.
    pub one_way_to_caller: u64,
    pub one_way_from_caller: u64,
    /// The same found in calls that had no dead direction: a fault of the engine's.
    pub one_way_unexpected: u64,
    pub questions: u64,
    pub answered_inside: u64,
    pub unanswered: u64,
    /// Packets of a call that did not go on where the one before ended.
    pub breaks: u64,
    /// Calls that ended when the caller wanted it.
    pub completed: u64,
    /// Calls that ended themselves, but for those that are one-way.
    pub ended_by_call: u64,
    /// Calls that died with their node.
    pub lost: u64,
    /// Calls that outlived their node's drain.
    pub cut_by_drain: u64,
    /// Calls that were up when the simulation was over.
    pub up_at_end: u64,
}

/// Since it was last asked: what happened when.
#[derive(Debug, Default)]
pub struct Samples {
    /// Caller-heard latencies: when the answer was heard, and how long it took.
    pub heard: Vec<(Moment, Duration)>,
}

// === impl Counts ===

impl Counts {
    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.conversing += other.conversing;
        self.ticks += other.ticks;
        self.packets_in += other.packets_in;
        self.packets_out += other.packets_out;
        self.speech_requests += other.speech_requests;
        self.proven += other.proven;
        self.one_way_made += other.one_way_made;
        self.one_way_to_caller += other.one_way_to_caller;
        self.one_way_from_caller += other.one_way_from_caller;
        self.one_way_unexpected += other.one_way_unexpected;
        self.questions += other.questions;
        self.answered_inside += other.answered_inside;
        self.unanswered += other.unanswered;
        self.breaks += other.breaks;
        self.completed += other.completed;
        self.ended_by_call += other.ended_by_call;
        self.lost += other.lost;
        self.cut_by_drain += other.cut_by_drain;
        self.up_at_end += other.up_at_end;
    }

    pub fn one_way_found(&self) -> u64 {
        self.one_way_to_caller + self.one_way_from_caller
    }

    /// Calls that are over, one way or another.
    pub fn over(&self) -> u64 {
        self.completed + self.ended_by_call + self.one_way_found() + self.lost + self.cut_by_drain + self.up_at_end
    }
}
