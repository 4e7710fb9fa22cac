//! The circuit breaker in virtual time: when a provider is asked, and when it is left alone.
//! Nothing here runs outside tests.

use super::*;

const SETTINGS: BreakerSettings = BreakerSettings { failures: 3, pause: Duration::from_secs(10) };

fn breaker() -> Arc<Breaker> {
    Breaker::new("chat of nobody".to_owned(), SETTINGS)
}

fn fail(breaker: &Arc<Breaker>, times: u32) {
    for _ in 0..times {
        breaker.permit(Instant::now()).unwrap().failed();
    }
}

fn serve(breaker: &Arc<Breaker>) {
    breaker.permit(Instant::now()).unwrap().serves();
}

#[tokio::test(start_paused = true)]
async fn after_three_failures_in_a_row_it_is_left_alone() {
    let breaker = breaker();
    fail(&breaker, 2);
    assert!(breaker.allows(Instant::now()) && !breaker.is_well(Instant::now()));
    fail(&breaker, 1);
    assert!(breaker.permit(Instant::now()).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_served_ends_the_row() {
    let breaker = breaker();
    fail(&breaker, 2);
    serve(&breaker);
    assert!(breaker.is_well(Instant::now()));
    fail(&breaker, 2);
    assert!(breaker.allows(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn after_the_pause_one_trial_decides() {
    let breaker = breaker();
    fail(&breaker, 3);
    tokio::time::advance(SETTINGS.pause - Duration::from_millis(1)).await;
    assert!(!breaker.allows(Instant::now()));
    tokio::time::advance(Duration::from_millis(1)).await;
    let trial = breaker.permit(Instant::now()).unwrap();
    assert!(breaker.permit(Instant::now()).is_none(), "one trial at a time");
    trial.failed();
    assert!(!breaker.allows(Instant::now()), "another pause");
    tokio::time::advance(SETTINGS.pause).await;
    serve(&breaker);
    assert!(breaker.is_well(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_nobody_waited_for_is_made_again() {
    let breaker = breaker();
    fail(&breaker, 3);
    tokio::time::advance(SETTINGS.pause).await;
    drop(breaker.permit(Instant::now()).unwrap());
    assert!(breaker.permit(Instant::now()).is_some());
}

#[tokio::test(start_paused = true)]
async fn requests_nobody_waited_for_count_for_nothing() {
    let breaker = breaker();
    fail(&breaker, 2);
    drop(breaker.permit(Instant::now()));
    fail(&breaker, 1);
    assert!(!breaker.allows(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn failures_of_requests_from_before_neither_lengthen_the_pause_nor_fail_the_trial() {
    let breaker = breaker();
    let before: Vec<Permit> = (0..2).map(|_| breaker.permit(Instant::now()).unwrap()).collect();
    fail(&breaker, 3);
    tokio::time::advance(SETTINGS.pause - Duration::from_secs(1)).await;
    let mut before = before.into_iter();
    before.next().unwrap().failed();
    tokio::time::advance(Duration::from_secs(1)).await;
    let mut trial = breaker.permit(Instant::now()).unwrap();
    before.next().unwrap().failed();
    trial.serves();
    drop(trial);
    assert!(breaker.is_well(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_anyway_and_served_closes_it() {
    let breaker = breaker();
    fail(&breaker, 3);
    breaker.permit_anyway().serves();
    assert!(breaker.is_well(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_after_its_beginning_is_a_failure() {
    let breaker = breaker();
    fail(&breaker, 2);
    let mut permit = breaker.permit(Instant::now()).unwrap();
    permit.serves();
    permit.failed();
    assert!(!breaker.allows(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_held_against_it_for_a_pause() {
    let breaker = breaker();
    fail(&breaker, 1);
    assert!(!breaker.is_well(Instant::now()));
    tokio::time::advance(SETTINGS.pause).await;
    assert!(breaker.is_well(Instant::now()));
}
