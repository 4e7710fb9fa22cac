//! A run divided among two workers on loopback, calling a callee in this process.
//! What a single run counts is tested in `calls.rs`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[allow(dead_code, reason = "calls.rs uses more of it")]
mod callee;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callee::{Callee, Manner};
use loadtest::caller::{Manners, Prepared};
use loadtest::coordinator::{self, Gathered, Job, Totals, Worker, serve};
use loadtest::fleet::Fleet;
use loadtest::report::FleetReport;
use loadtest::script::Line;
use loadtest::voice::Utterance;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "let me in";

fn sound(pitch_hz: f64, ms: u32) -> Utterance {
    let samples: Vec<i16> = (0..ms * 8)
        .map(|n| ((f64::from(n) * pitch_hz / 8000.0 * std::f64::consts::TAU).sin() * 8000.0) as i16)
        .collect();
    Utterance::from_samples(&samples, "sound").unwrap()
}

async fn callee() -> Callee {
    Callee::start(Manner { greeting: sound(140.0, 300), answer: sound(210.0, 300), hang_up: false }).await
}

/// A worker, and what ends it.
async fn worker() -> (String, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stop = CancellationToken::new();
    let worker = Worker { token: TOKEN.to_owned(), sip: "127.0.0.1:0".parse().unwrap() };
    tokio::spawn(serve(listener, worker, stop.clone()));
    (address, stop)
}

fn job(callee: &Callee, calls: usize, hold: Duration) -> Job {
    let question = Prepared { line: Line::saying("a question"), utterance: Some(sound(300.0, 400)) };
    let fleet = Fleet {
        calls,
        rate: 20.0,
        ramp: Duration::ZERO,
        hold,
        lines: vec![question],
        target: callee.target(false),
        manners: Manners::default(),
    };
    Job::new(&fleet, 1)
}

async fn run(workers: &[String], job: &Job, stop: CancellationToken) -> Gathered {
    coordinator::run(workers, TOKEN, job, |_| {}, stop).await.unwrap()
}

#[tokio::test]
async fn two_workers_share_the_calls_and_their_counts_add_up() {
    let callee = callee().await;
    let workers = [worker().await.0, worker().await.0];
    let gathered = run(&workers, &job(&callee, 5, Duration::from_secs(4)), CancellationToken::new()).await;
    let shares: Vec<usize> = gathered.workers.iter().map(|end| end.counts.as_ref().unwrap().calls).collect();
    assert_eq!(shares, [3, 2]);
    let merged = gathered.merged();
    let report = FleetReport::from(&merged);
    assert_eq!((report.calls, report.lost, report.one_way), (5, 0, 0), "{:?}", report.lost_why);
    assert!(report.questions >= 5 && report.unanswered == 0, "{report}");
    let parts = gathered.workers.iter().map(|end| end.counts.as_ref().unwrap());
    assert_eq!(merged.caller_heard.count(), parts.map(|counts| counts.caller_heard.count()).sum::<u64>());
    assert_eq!(merged.setup.count(), 5);
}

#[tokio::test]
async fn stopping_the_coordinator_ends_the_calls_of_all_workers() {
    let callee = callee().await;
    let workers = [worker().await.0, worker().await.0];
    let (stop, most_up) = (CancellationToken::new(), AtomicUsize::new(0));
    let job = job(&callee, 1000, Duration::from_secs(600));
    let shown = |totals: Totals| {
        most_up.fetch_max(totals.up, Ordering::Relaxed);
        if totals.workers == 2 && totals.up >= 4 {
            stop.cancel();
        }
    };
    let gathered =
        tokio::time::timeout(Duration::from_secs(20), coordinator::run(&workers, TOKEN, &job, shown, stop.clone()))
            .await
            .expect("the calls go on")
            .unwrap();
    let merged = gathered.merged();
    assert!(merged.interrupted && merged.lost_why.is_empty() && merged.calls >= 4, "{:?}", merged.lost_why);
    assert!(most_up.load(Ordering::Relaxed) >= 4);
}

#[tokio::test]
async fn a_worker_that_dies_is_named_and_the_others_go_on() {
    let callee = callee().await;
    let (healthy, _) = worker().await;
    let (behind, _) = worker().await;
    let (doomed, cut) = cable(behind.parse().unwrap()).await;
    let workers = [healthy.clone(), doomed.clone()];
    let job = job(&callee, 4, Duration::from_secs(4));
    let shown = |totals: Totals| {
        if totals.up > 0 && totals.workers == 2 {
            cut.cancel();
        }
    };
    let gathered = coordinator::run(&workers, TOKEN, &job, shown, CancellationToken::new()).await.unwrap();
    let dead: Vec<&str> = gathered.dead().map(|(worker, _)| worker).collect();
    assert_eq!(dead, [doomed.as_str()]);
    assert_eq!(gathered.merged().calls, 2, "what the other counted is there");
}

#[tokio::test]
async fn a_worker_takes_no_job_from_who_does_not_know_the_token_and_none_beside_another() {
    let callee = callee().await;
    let workers = [worker().await.0];
    let job = job(&callee, 1, Duration::from_secs(3));
    let stop = CancellationToken::new();
    let refused = coordinator::run(&workers, "somebody else", &job, |_| {}, stop.clone()).await.unwrap_err();
    assert!(refused.to_string().contains(&workers[0]) && refused.to_string().contains("401"), "{refused}");
    let runs = Notify::new();
    let shown = |totals: Totals| {
        if totals.workers == 1 {
            runs.notify_one();
        }
    };
    let (first, second) = tokio::join!(coordinator::run(&workers, TOKEN, &job, shown, stop.clone()), async {
        runs.notified().await;
        coordinator::run(&workers, TOKEN, &job, |_| {}, stop.clone()).await
    });
    assert_eq!(first.unwrap().merged().calls, 1);
    assert!(second.unwrap_err().to_string().contains("another job"));
}

/// A way to a worker that can be cut.
async fn cable(to: SocketAddr) -> (String, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let cut = CancellationToken::new();
    let is_cut = cut.clone();
    tokio::spawn(async move {
        let (near, _) = listener.accept().await.unwrap();
        let far = TcpStream::connect(to).await.unwrap();
        let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
        tokio::select! {
            () = is_cut.cancelled() => {}
            () = carry(&mut near_in, &mut far_out) => {}
            () = carry(&mut far_in, &mut near_out) => {}
        }
    });
    (address, cut)
}

async fn carry(from: &mut (impl AsyncReadExt + Unpin), to: &mut (impl AsyncWriteExt + Unpin)) {
    let _ = tokio::io::copy(from, to).await;
}
