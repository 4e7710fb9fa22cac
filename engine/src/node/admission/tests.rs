//! The cap and the signs of overload, without a shard or a clock.
//! That callers are told is tested end to end.

use super::*;

#[test]
fn no_more_calls_enter_than_the_cap_allows() {
    let cap = CallCap::new(2);
    let first = cap.enter();
    let second = cap.enter();
    assert!(first.is_some() && second.is_some() && cap.enter().is_none());
    drop(first);
    assert_eq!(cap.active(), 1);
    assert!(cap.enter().is_some());
}

#[tokio::test]
async fn the_last_call_to_leave_is_noticed() {
    let cap = CallCap::new(5);
    let place = cap.enter();
    let waiting = tokio::spawn({
        let cap = cap.clone();
        async move { cap.emptied().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    assert_eq!(cap.active(), 1, "waiting takes no place");
    drop(place);
    waiting.await.unwrap();
}

#[test]
fn many_late_slots_mean_overload_until_some_windows_were_calm() {
    let mut overload = Overload::default();
    assert!(!overload.observe((1000, 0)));
    assert!(!overload.observe((2000, 300)), "one bad window is a stumble");
    assert!(overload.observe((3000, 600)));
    for _ in 1..CALM_WINDOWS {
        assert!(overload.observe((3000, 600)), "calm too soon");
    }
    assert!(!overload.observe((3000, 600)));
}

#[test]
fn a_few_late_slots_of_a_few_calls_are_no_overload() {
    let mut overload = Overload::default();
    assert!(!overload.observe((12, 9)));
}
