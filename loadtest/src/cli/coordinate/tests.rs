//! What a merged run is worth.
//! The workers are tested in `tests/workers.rs`.

use std::time::Duration;

use super::*;
use crate::coordinator::WorkerEnd;
use crate::report::FleetCounts;

/// A worker that sent so many of a thousand packets.
fn worker(name: &str, sent: u64) -> WorkerEnd {
    let mut counts = FleetCounts { calls: 1, questions: 1, concurrent: 1, ..FleetCounts::default() };
    counts.sending.nominal = 1000;
    counts.sending.sent = sent;
    (0..sent).for_each(|_| counts.received.spacing.record(Duration::from_millis(20)));
    WorkerEnd { worker: name.to_owned(), counts: Ok(counts) }
}

fn gathered(workers: Vec<WorkerEnd>) -> Gathered {
    Gathered { workers, interrupted: false }
}

#[test]
fn workers_that_kept_their_time_pass_together() {
    let all = gathered(vec![worker("a", 1000), worker("b", 995)]);
    assert_eq!(judge_all(&all), Outcome::Passed);
    assert_eq!((all.merged().calls, all.merged().sending.sent), (2, 1995));
}

#[test]
fn one_worker_that_fell_behind_spoils_the_run_though_the_sum_looks_well() {
    let mut workers: Vec<WorkerEnd> = (0..9).map(|_| worker("quick", 1000)).collect();
    workers.push(worker("slow", 950));
    let all = gathered(workers);
    assert_eq!(FleetReport::from(&all.merged()).media.generator_too_slow(), None);
    assert_eq!(judge_all(&all), Outcome::GeneratorTooSlow);
}

#[test]
fn a_run_whose_worker_died_has_failed_and_its_report_names_it() {
    let dead = WorkerEnd { worker: "b:9100".to_owned(), counts: Err("it is gone".to_owned()) };
    let all = gathered(vec![worker("a:9100", 1000), dead]);
    assert_eq!(judge_all(&all), Outcome::Failed);
    assert_eq!(as_json(&all)["workers"]["b:9100"]["died"], "it is gone");
    assert_eq!(as_json(&all)["merged"]["calls"], 1);
}
