//! When an agent counts as stopped.
//! Calls are made in `tests/`.

use super::*;

fn stopped(stretches: &[(u64, Option<u64>)]) -> Option<u64> {
    let stretch = |(began, last): &(u64, Option<u64>)| Stretch {
        began: Moment::from_millis(*began),
        last: last.map(Moment::from_millis),
    };
    let heard: Vec<Stretch> = stretches.iter().map(stretch).collect();
    let stopped = stopped_after(&heard, Moment::from_millis(2000), Moment::from_millis(3000));
    stopped.map(|after| after.as_millis() as u64)
}

#[test]
fn silence_begins_after_the_last_voiced_frame() {
    assert_eq!(stopped(&[(0, Some(2100))]), Some(120));
    assert_eq!(stopped(&[(0, Some(2100)), (3600, None)]), Some(120), "the answer comes later");
}

#[test]
fn a_voice_that_hesitates_has_not_stopped() {
    assert_eq!(stopped(&[(0, Some(2100)), (2400, Some(2700))]), Some(720));
    assert_eq!(stopped(&[(0, Some(2100)), (2400, None)]), None);
    assert_eq!(stopped(&[(0, None)]), None);
}

#[test]
fn a_voice_that_goes_on_to_its_own_end_was_not_stopped() {
    assert_eq!(stopped(&[(0, Some(5000))]), None);
}

#[test]
fn an_answer_is_told_from_a_part_of_it_and_from_two() {
    let is_one = |spoken, before| {
        is_one_answer(Duration::from_millis(spoken), Duration::from_millis(9600), Duration::from_millis(before))
    };
    assert!(is_one(9600, 700) && is_one(10_020, 700) && is_one(9200, 700));
    assert!(!is_one(10_300, 700), "700 ms of it, and then all of another");
    assert!(!is_one(2600, 2600), "it was cut off");
    assert!(is_one(10_800, 2600), "held three times");
}
