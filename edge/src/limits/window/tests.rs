use proptest::prelude::*;

use super::*;

/// Every pass ever, and the rule read literally.
#[derive(Default)]
struct Model {
    passes: Vec<u64>,
}

impl Model {
    fn check(&mut self, limit: u32, window_ms: u64, now_ms: u64) -> Verdict {
        let counted: Vec<u64> = self.passes.iter().copied().filter(|at| at + window_ms > now_ms).collect();
        let allowed = counted.len() < limit as usize;
        if allowed {
            self.passes.push(now_ms);
        }
        let counts_at = |at: u64| self.passes.iter().filter(|pass| **pass <= at && **pass + window_ms > at).count();
        let room_now = (limit as usize).saturating_sub(counts_at(now_ms));
        // The next moment at which more would pass than now.
        let reset_at_ms = (now_ms..=now_ms + window_ms)
            .find(|at| (limit as usize).saturating_sub(counts_at(*at)) > room_now)
            .unwrap_or(now_ms + window_ms);
        Verdict { allowed, remaining: room_now as u32, reset_at_ms }
    }
}

proptest! {
    #[test]
    fn the_window_says_what_counting_everything_would_say(
        limit in 0u32..6,
        steps in proptest::collection::vec(0u64..40, 1..120),
        restore_at in 0usize..120,
    ) {
        let (mut window, mut model, mut now_ms) = (Window::default(), Model::default(), 1_000);
        for (step, elapsed_ms) in steps.into_iter().enumerate() {
            now_ms += elapsed_ms;
            if step == restore_at {
                window = Window::restore(model.passes.iter().rev().copied());
            }
            prop_assert_eq!(window.check(limit, 100, now_ms), model.check(limit, 100, now_ms));
        }
        for start in &model.passes {
            let within = model.passes.iter().filter(|at| (*start..start + 100).contains(at)).count();
            prop_assert!(within <= limit as usize);
        }
    }

    #[test]
    fn whatever_clock_and_limit_never_more_pass_than_the_largest_limit(
        checks in proptest::collection::vec((0u32..5, 0u64..500), 1..200),
    ) {
        let mut window = Window::default();
        let mut passes: Vec<u64> = Vec::new();
        for (limit, now_ms) in checks {
            if window.check(limit, 100, now_ms).allowed {
                passes.push(window.last_pass().unwrap());
            }
        }
        for start in &passes {
            prop_assert!(passes.iter().filter(|at| (*start..start + 100).contains(at)).count() <= 4);
        }
    }
}

#[test]
fn the_pass_after_the_window_is_the_one_announced() {
    let mut window = Window::default();
    assert_eq!(window.check(2, 60_000, 1_000), Verdict { allowed: true, remaining: 1, reset_at_ms: 61_000 });
    assert_eq!(window.check(2, 60_000, 5_000), Verdict { allowed: true, remaining: 0, reset_at_ms: 61_000 });
    assert_eq!(window.check(2, 60_000, 60_999), Verdict { allowed: false, remaining: 0, reset_at_ms: 61_000 });
    assert_eq!(window.check(2, 60_000, 61_000), Verdict { allowed: true, remaining: 0, reset_at_ms: 65_000 });
}

#[test]
fn a_lowered_limit_is_reached_when_enough_passes_have_left() {
    let mut window = Window::restore([1_000, 2_000, 3_000]);
    assert_eq!(window.check(1, 60_000, 4_000), Verdict { allowed: false, remaining: 0, reset_at_ms: 63_000 });
}

#[test]
fn a_limit_of_nothing_lets_nothing_pass() {
    let mut window = Window::default();
    assert_eq!(window.check(0, 60_000, 1_000), Verdict { allowed: false, remaining: 0, reset_at_ms: 61_000 });
}
