//! The report of `loadtest talk`: what callers noticed, as numbers, as a table, and as a page with plots.
//! Trying it is `feel`; how a plot is drawn is `page`.

mod page;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::media::MediaReport;
use super::table::Table;
use crate::caller::media::SendCounts;
use crate::feel::{Kind, Outcome, Tried};
use crate::measure::spacing::SpacingCounts;

pub use page::page;

/// Times, ms, sorted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Times {
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    pub all_ms: Vec<f64>,
}

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Share {
    pub some: usize,
    pub of: usize,
}

#[derive(Debug, Clone, Serialize)]
pub struct FeelReport {
    pub target: String,
    /// Calls at a time.
    pub callers: usize,
    /// How long an answer is when nobody says anything, ms.
    pub reply_ms: u64,
    pub calls: usize,
    /// Calls that tell nothing: not set up, over too soon, nothing to be interrupted; and why, counted.
    pub failed: BTreeMap<String, usize>,
    /// Last speech frame sent → first voiced frame back, of whole sentences.
    pub caller_heard: Times,
    /// Sentences that were answered before their end, and those that were not answered.
    pub answered_inside: Share,
    pub unanswered: Share,
    /// By the pause in a sentence, ms: answered inside of it.
    pub cut_off: BTreeMap<u64, Share>,
    /// Caller-heard latency of sentences with a pause that was waited out.
    pub caller_heard_after_pause: Times,
    /// First frame of an interruption sent → silence.
    pub barge_in_stop: Times,
    /// Interruptions that stopped the agent.
    pub stopped: Share,
    /// Short words that ended the agent's turn, and after which it was heard within a second.
    pub word_ended: Share,
    pub word_went_on: Share,
    /// The same of sounds that are no speech, or not the caller's.
    pub sound_ended: Share,
    pub sound_went_on: Share,
    /// Words and sounds that ended the agent's turn.
    pub false_stops: Vec<String>,
    pub media: MediaReport,
}

// === impl Times ===

impl Times {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut all: Vec<f64> = times.map(|time| time.as_micros() as f64 / 1000.0).collect();
        all.sort_by(f64::total_cmp);
        // By nearest rank.
        let at = |percent: usize| all.get((all.len() * percent).div_ceil(100).max(1) - 1).copied().unwrap_or_default();
        Self { p50_ms: at(50), p95_ms: at(95), p99_ms: at(99), max_ms: at(100), all_ms: all }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.all_ms.is_empty() {
            return write!(f, "not measured");
        }
        let Self { p50_ms, p95_ms, p99_ms, max_ms, all_ms } = self;
        write!(f, "p50 {p50_ms:.0}  p95 {p95_ms:.0}  p99 {p99_ms:.0}  max {max_ms:.0} ms  of {}", all_ms.len())
    }
}

// === impl Share ===

impl Share {
    fn of(all: impl Iterator<Item = bool>) -> Self {
        all.fold(Self::default(), |share, one| Self { some: share.some + usize::from(one), of: share.of + 1 })
    }

    fn percent(self) -> f64 {
        100.0 * self.some as f64 / self.of.max(1) as f64
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.of == 0 {
            return write!(f, "not tried");
        }
        write!(f, "{} of {}  {:.1} %", self.some, self.of, self.percent())
    }
}

// === impl FeelReport ===

impl FeelReport {
    pub fn new(target: &str, callers: usize, reply: Duration, tried: &[Tried]) -> Self {
        let (mut received, mut sending) = (SpacingCounts::default(), SendCounts::default());
        for media in tried.iter().filter_map(|one| one.media.as_ref()) {
            received.merge(&media.received);
            sending.merge(&media.sending);
        }
        let mut failed = BTreeMap::new();
        let mut false_stops = Vec::new();
        for one in tried {
            match &one.outcome {
                Err(why) => *failed.entry(why.to_string()).or_default() += 1,
                Ok(Outcome::TooShort) => *failed.entry("the answer was too short".to_owned()).or_default() += 1,
                Ok(Outcome::InPassing { ended: true, .. }) => false_stops.push(one.name.clone()),
                Ok(_) => {}
            }
        }
        let outcomes = |kind: Kind| {
            let of_kind = tried.iter().filter(move |one| one.kind == kind);
            of_kind.filter_map(|one| one.outcome.as_ref().ok().copied())
        };
        let whole = || outcomes(Kind::Answers);
        let cut_ins = || {
            outcomes(Kind::CutIns).filter_map(|outcome| match outcome {
                Outcome::CutIn { stopped_after } => Some(stopped_after),
                _ => None,
            })
        };
        let in_passing = |kind| {
            outcomes(kind).filter_map(|outcome| match outcome {
                Outcome::InPassing { ended, went_on } => Some((ended, went_on)),
                _ => None,
            })
        };
        let mut cut_off: BTreeMap<u64, Share> = BTreeMap::new();
        for outcome in outcomes(Kind::Pauses) {
            let (pause, inside) = match outcome {
                Outcome::AnsweredInside { pause } if !pause.is_zero() => (pause, true),
                Outcome::WaitedOut { pause, .. } => (pause, false),
                _ => continue,
            };
            let share = cut_off.entry(pause.as_millis() as u64).or_default();
            *share = Share { some: share.some + usize::from(inside), of: share.of + 1 };
        }
        Self {
            target: target.to_owned(),
            callers,
            reply_ms: reply.as_millis() as u64,
            calls: tried.len(),
            failed,
            caller_heard: Times::of(whole().filter_map(|o| match o {
                Outcome::Answered { after } => Some(after),
                _ => None,
            })),
            answered_inside: Share::of(whole().map(|o| matches!(o, Outcome::AnsweredInside { .. }))),
            unanswered: Share::of(whole().map(|o| o == Outcome::Unanswered)),
            cut_off,
            caller_heard_after_pause: Times::of(outcomes(Kind::Pauses).filter_map(|o| match o {
                Outcome::WaitedOut { after, .. } => Some(after),
                _ => None,
            })),
            barge_in_stop: Times::of(cut_ins().flatten()),
            stopped: Share::of(cut_ins().map(|stopped| stopped.is_some())),
            word_ended: Share::of(in_passing(Kind::Words).map(|(ended, _)| ended)),
            word_went_on: Share::of(in_passing(Kind::Words).map(|(_, went_on)| went_on)),
            sound_ended: Share::of(in_passing(Kind::Sounds).map(|(ended, _)| ended)),
            sound_went_on: Share::of(in_passing(Kind::Sounds).map(|(_, went_on)| went_on)),
            false_stops,
            media: MediaReport::new(&received, &sending),
        }
    }
}

impl fmt::Display for FeelReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::default();
        table
            .row("calls", format!("{}, {} at a time, answers of {} ms", self.calls, self.callers, self.reply_ms))
            .row("caller-heard latency", &self.caller_heard)
            .row("  after a pause", &self.caller_heard_after_pause)
            .row("answered before the end", self.answered_inside)
            .row("not answered", self.unanswered);
        for (pause_ms, share) in &self.cut_off {
            table.row(format!("answered inside {pause_ms} ms"), share);
        }
        table
            .row("barge-in to silence", &self.barge_in_stop)
            .row("interruptions that stopped it", self.stopped)
            .row("words that ended its turn", self.word_ended)
            .row("  heard again within 1 s", self.word_went_on)
            .row("sounds that ended its turn", self.sound_ended)
            .row("  heard again within 1 s", self.sound_went_on);
        self.media.rows(&mut table);
        for (why, count) in &self.failed {
            table.row("tells nothing", format!("{count} calls: {why}"));
        }
        write!(f, "{table}")
    }
}

#[cfg(test)]
mod tests;
