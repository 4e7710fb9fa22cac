//! When callers dial and how long they stay: a ramp, a steady rate that keeps so many calls up, and waves on top of it.
//! Where their calls go is the dispatcher's business.

use std::time::Duration;

use rand::Rng;
use rand::rngs::SmallRng;

use super::plan::{Plan, Wave};

/// So much more than was asked for, so that chance does not keep the calls below it.
const MARGIN: f64 = 1.005;

/// How a call that is dialled now came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Part of the ramp: as if it had begun before, so that not all end together.
    UnderWay,
    Fresh,
}

/// Counts the calls that are due.
#[derive(Debug)]
pub struct Arrivals {
    ramp: Duration,
    /// Calls in the ramp, a second.
    ramp_rate: f64,
    /// Calls after it, a second.
    rate: f64,
    waves: Vec<Wave>,
    shortest: Duration,
    longest: Duration,
    owed_under_way: f64,
    owed_fresh: f64,
}

// === impl Arrivals ===

impl Arrivals {
    pub fn new(plan: &Plan) -> Self {
        let calls = plan.calls as f64 * MARGIN;
        Self {
            ramp: plan.ramp,
            ramp_rate: calls / plan.ramp.as_secs_f64(),
            rate: calls / plan.hold.as_secs_f64(),
            waves: plan.waves.clone(),
            shortest: plan.shortest_call(),
            longest: plan.longest_call(),
            owed_under_way: 0.0,
            owed_fresh: 0.0,
        }
    }

    /// Calls of each kind that are dialled in the `epoch` after `at`.
    pub fn due(&mut self, at: Duration, epoch: Duration) -> [(Kind, usize); 2] {
        let seconds = epoch.as_secs_f64();
        let in_ramp = at < self.ramp;
        if in_ramp {
            self.owed_under_way += self.ramp_rate * seconds;
        }
        // In the ramp as many as calls of the ramp end by then.
        let full = if in_ramp { at.as_secs_f64() / self.ramp.as_secs_f64() } else { 1.0 };
        let waves = self.waves.iter().filter(|wave| (wave.at..wave.at + wave.length).contains(&at));
        self.owed_fresh += self.rate * full * seconds * waves.map(|wave| wave.factor).product::<f64>();
        [(Kind::UnderWay, take_whole(&mut self.owed_under_way)), (Kind::Fresh, take_whole(&mut self.owed_fresh))]
    }

    /// How long a call lasts, from now on.
    pub fn hold(&self, kind: Kind, rng: &mut SmallRng) -> Duration {
        let (shortest, longest) = (self.shortest.as_secs_f64(), self.longest.as_secs_f64());
        let seconds = match kind {
            Kind::Fresh => rng.random_range(shortest..=longest),
            // Of the calls that are up at some time long ones are more, and each is anywhere in its length.
            Kind::UnderWay => {
                let (least, most) = (shortest * shortest, longest * longest);
                (least + rng.random::<f64>() * (most - least)).sqrt() * rng.random::<f64>()
            }
        };
        Duration::from_secs_f64(seconds)
    }
}

fn take_whole(owed: &mut f64) -> usize {
    let whole = owed.floor();
    *owed -= whole;
    whole as usize
}
