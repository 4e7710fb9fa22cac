//! Delays grow, answers are understood.

use proptest::prelude::*;

use super::*;

#[test]
fn delays_are_thirty_seconds_then_four_times_as_long() {
    let delays: Vec<u32> = (1..=5).map(|tries| delay_s(BASE_S, tries)).collect();
    assert_eq!(delays, [30, 120, 480, 1920, 7680]);
}

#[test]
fn an_answer_is_done_tried_again_or_final() {
    for status in [200, 202, 204, 299] {
        assert_eq!(outcome("it", status), Outcome::Done, "{status}");
    }
    for status in [408, 425, 429, 500, 503, 599] {
        assert_eq!(outcome("it", status), Outcome::Retry(format!("it answered {status}")));
    }
    for status in [100, 301, 302, 400, 401, 404, 410, 422] {
        assert_eq!(outcome("it", status), Outcome::GiveUp(format!("it answered {status}")));
    }
}

proptest! {
    #[test]
    fn a_delay_never_shrinks_and_never_passes_what_a_queue_takes(base in 0..100_000u32, tries in 0..1_000u32) {
        let (now, next) = (delay_s(base, tries), delay_s(base, tries + 1));
        prop_assert!(now <= MAX_S && (now <= next || base == 0));
    }
}
