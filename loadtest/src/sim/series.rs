//! What happened in each second, and from it how long the fleet took to be what it was before a node was lost.
//! Sums over the whole run are `counts`.

use std::time::Duration;

use engine::clock::Moment;

/// One second of the whole fleet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Second {
    /// Calls dialled, those among them that dial again.
    pub offered: u64,
    pub redialled: u64,
    /// What became of those whose set-up ended in this second.
    pub answered: u64,
    pub refused: u64,
    /// Calls answered after a node had been silent to them.
    pub delayed: u64,
    /// Calls that died with their node.
    pub lost: u64,
    /// Calls that are up at its end.
    pub up: u64,
}

/// How long after the loss, s; `None`: not by the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Recovery {
    /// Calls lost with the nodes.
    pub lost: u64,
    /// Calls that met a silent node before they were set up.
    pub delayed: u64,
    /// From then on no set-up met a silent node, and no larger share was refused than before.
    pub set_up_s: Option<u64>,
    /// From then on as many calls were up as before, but for one in a thousand.
    pub calls_up_s: Option<u64>,
}

/// What is looked at before the loss.
const BEFORE: usize = 10;
/// So long it must stay as it was.
const STEADY: usize = 5;

#[derive(Debug, Default)]
pub struct Series(Vec<Second>);

// === impl Series ===

impl Series {
    /// The second of a time.
    pub fn at(&mut self, at: Moment) -> &mut Second {
        let n = usize::try_from(at.millis_since(Moment::default()) / 1000).unwrap_or(usize::MAX);
        if n >= self.0.len() {
            self.0.resize_with(n.saturating_add(1), Second::default);
        }
        // It was made just now.
        &mut self.0[n]
    }

    pub fn into_seconds(self) -> Vec<Second> {
        self.0
    }
}

/// How the fleet came back after a loss at `at`.
pub fn recovery(seconds: &[Second], at: Duration) -> Recovery {
    let at = usize::try_from(at.as_secs()).unwrap_or(usize::MAX);
    let (before, after) = seconds.split_at_checked(at).unwrap_or((seconds, &[]));
    let before = before.get(before.len().saturating_sub(BEFORE)..).unwrap_or_default();
    let refused = |seconds: &[Second]| {
        let of = seconds.iter().map(|second| second.answered + second.refused).sum::<u64>().max(1);
        seconds.iter().map(|second| second.refused).sum::<u64>() as f64 / of as f64
    };
    let up_before = before.iter().map(|second| second.up).sum::<u64>() as f64 / before.len().max(1) as f64;
    let refused_before = refused(before);
    let first = |fine: &dyn Fn(&Second) -> bool| {
        let steady = after.windows(STEADY.min(after.len().max(1))).position(|seconds| seconds.iter().all(fine));
        steady.map(|seconds| seconds as u64)
    };
    Recovery {
        lost: after.iter().map(|second| second.lost).sum(),
        delayed: after.iter().map(|second| second.delayed).sum(),
        set_up_s: first(&|second| second.delayed == 0 && refused(std::slice::from_ref(second)) <= refused_before),
        calls_up_s: first(&|second| second.up as f64 >= up_before * 0.999),
    }
}
