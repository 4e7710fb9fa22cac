//! Steps in a time of the test's own.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

use futures::FutureExt;

use super::*;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(1_000) };
}

fn now() -> u64 {
    NOW.get()
}

/// A step during which so much time passes.
fn wait(ms: u64) -> impl Future<Output = ()> {
    poll_fn(move |_| {
        NOW.set(NOW.get() + ms);
        Poll::Ready(())
    })
}

fn step(timings: &Timings, name: &'static str, ms: u64) {
    timings.step(name, wait(ms)).now_or_never().unwrap();
}

#[test]
fn the_longest_step_is_the_bottleneck() {
    let timings = Timings::start(now);
    step(&timings, "auth", 3);
    step(&timings, "account", 40);
    step(&timings, "database", 7);
    assert_eq!(timings.steps(), [("auth", 3), ("account", 40), ("database", 7), ("answer", 0)]);
    assert_eq!(timings.bottleneck(), Some(("account", 40)));
    assert_eq!(timings.total_ms(), 50);
}

#[test]
fn steps_of_one_name_add_up_over_clones() {
    let timings = Timings::start(now);
    step(&timings.clone(), "database", 7);
    step(&timings, "auth", 9);
    step(&timings, "database", 7);
    assert_eq!(timings.bottleneck(), Some(("database", 14)));
}

#[test]
fn what_no_step_accounts_for_is_the_answers() {
    let timings = Timings::start(now);
    step(&timings, "auth", 3);
    NOW.set(NOW.get() + 20);
    assert_eq!(timings.steps(), [("auth", 3), ("answer", 20)]);
    assert_eq!(timings.bottleneck(), Some(("answer", 20)));
}

#[test]
fn without_waiting_there_is_no_bottleneck() {
    let timings = Timings::start(now);
    step(&timings, "auth", 0);
    assert_eq!(timings.bottleneck(), None);
}
