//! Down only when calls are.

use super::*;

fn check(ok: bool, needed: bool) -> Check {
    Check { name: "x", ok, ms: 1, needed }
}

#[test]
fn only_what_calls_need_takes_the_edge_down() {
    assert_eq!(status(&[check(true, true), check(true, false)]), Status::Ok);
    assert_eq!(status(&[check(true, true), check(false, false)]), Status::Degraded);
    assert_eq!(status(&[check(false, true), check(true, false)]), Status::Down);
}

#[test]
fn the_score_weighs_what_calls_need_three_times() {
    assert_eq!(score(&[]), 100);
    assert_eq!(score(&[check(true, true), check(true, false)]), 100);
    assert_eq!(score(&[check(true, true), check(false, false)]), 75);
    assert_eq!(score(&[check(false, true), check(true, false)]), 25);
    assert_eq!(score(&[check(false, true), check(false, false)]), 0);
}
