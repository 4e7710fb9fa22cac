//! Whole calls over SIP and RTP to a callee in this process: what it plays must be what a caller hears.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod callee;

use std::sync::Arc;
use std::time::Duration;

use callee::{Callee, Manner, phone};
use loadtest::caller::{Conversation, Manners, Prepared, Target};
use loadtest::echo;
use loadtest::fleet::{self, Fleet, Progress};
use loadtest::measure::alignment;
use loadtest::script::{Line, Script};
use loadtest::talk::{self, Plan};
use loadtest::voice::Utterance;
use sip_bridge::{Endpoint, EndpointConfig};
use tokio_util::sync::CancellationToken;

/// A voice-like sound of its own for every `pitch_hz`, never periodic.
fn sound(pitch_hz: f64, ms: u32) -> Utterance {
    let mut phase = 0.0f64;
    let samples: Vec<i16> = (0..ms * 8)
        .map(|n| {
            let t = f64::from(n) / 8000.0;
            phase += pitch_hz * (1.0 + 0.3 * (t * 3.1).sin() + 0.1 * t) / 8000.0 * std::f64::consts::TAU;
            ((phase.sin() + 0.5 * (3.0 * phase).sin()) * 6000.0) as i16
        })
        .collect();
    Utterance::from_samples(&samples, "sound").unwrap()
}

fn manner(hang_up: bool) -> Manner {
    Manner { greeting: sound(140.0, 800), answer: sound(210.0, 500), hang_up }
}

fn question() -> Prepared {
    Prepared { line: Line::saying("a question"), utterance: Some(sound(300.0, 700)) }
}

fn plan(callee: &Callee, lines: Vec<Prepared>) -> Plan {
    Plan {
        script: Script {
            voice: String::new(),
            expect_greeting: Vec::new(),
            lines: lines.iter().map(|line| line.line.clone()).collect(),
        },
        lines,
        target: callee.target(false),
        manners: Manners::default(),
        greeting: true,
    }
}

#[tokio::test]
async fn a_caller_hears_what_the_callee_plays() {
    let callee = Callee::start(manner(false)).await;
    let phone = phone().await;
    for tcp in [false, true] {
        let mut caller = phone.dial(&callee.target(tcp)).await.unwrap();
        assert!(Conversation::new(&mut caller, Manners::default()).greeting().await.unwrap());
        let report = caller.hang_up().await.unwrap();
        let found = alignment::compare(&report.heard, manner(false).greeting.samples()).unwrap();
        assert!(found.correlation >= 0.99, "tcp {tcp}: {found:?}");
        assert_eq!(found.longest_gap_ms, 0, "tcp {tcp}: {found:?}");
    }
}

#[tokio::test]
async fn an_encrypted_call_is_heard_both_ways() {
    let callee = Callee::start(manner(false)).await;
    let target = Target { srtp: true, ..callee.target(false) };
    let mut caller = phone().await.dial(&target).await.unwrap();
    assert!(Conversation::new(&mut caller, Manners::default()).greeting().await.unwrap());
    caller.say(&sound(300.0, 700)).await.unwrap();
    let answered = caller.voice_starts(Duration::from_secs(5)).await.unwrap();
    assert!(answered.is_some(), "the callee hears the question");
    let report = caller.hang_up().await.unwrap();
    let found = alignment::compare(&report.heard, manner(false).greeting.samples()).unwrap();
    assert!(found.correlation >= 0.99, "{found:?}");
    assert_eq!(report.ignored, 0, "every packet is authentic");
}

#[tokio::test]
async fn a_question_is_answered_and_the_answer_is_timed() {
    let callee = Callee::start(manner(false)).await;
    let phone = phone().await;
    let plan = plan(&callee, vec![question(), question()]);
    let report = talk::hold(&phone, plan, None, |_| {}, CancellationToken::new()).await.unwrap();
    assert_eq!(report.line_problems(), [""; 0]);
    assert!(report.heard.iter().all(|heard| heard.answered), "{:?}", report.heard);
    // The callee answers once it has heard 200 ms of silence.
    assert!(report.latencies_ms().iter().all(|&ms| ms >= 180.0), "{:?}", report.latencies_ms());
    assert_eq!(report.latencies_ms().len(), 2);
}

#[tokio::test]
async fn an_agent_that_hangs_up_ends_the_call_only_where_the_script_says_so() {
    let callee = Callee::start(manner(true)).await;
    let phone = phone().await;
    for (expected, problems) in [(true, 0), (false, 1)] {
        let mut line = question();
        line.line.agent_hangs_up = expected;
        let lines = if expected { vec![line] } else { vec![line, question()] };
        let report = talk::hold(&phone, plan(&callee, lines), None, |_| {}, CancellationToken::new()).await.unwrap();
        assert_eq!(report.line_problems().len(), problems, "{:?}", report.line_problems());
    }
}

#[tokio::test]
async fn an_agent_that_stays_where_it_should_hang_up_is_a_problem() {
    let callee = Callee::start(manner(false)).await;
    let phone = phone().await;
    let mut line = question();
    line.line.agent_hangs_up = true;
    let mut plan = plan(&callee, vec![line]);
    plan.manners.answer_within = Duration::from_secs(2);
    let report = talk::hold(&phone, plan, None, |_| {}, CancellationToken::new()).await.unwrap();
    assert!(report.line_problems()[0].contains("should have hung up"), "{:?}", report.line_problems());
}

#[tokio::test]
async fn a_call_nobody_answers_is_reported_and_not_waited_for() {
    let phone = phone().await;
    let callee = Callee::start(manner(false)).await;
    let mut target = callee.target(false);
    target.uri = "sip:nobody@127.0.0.1:9".to_owned();
    target.patience = Duration::from_millis(300);
    let error = phone.dial(&target).await.err().unwrap();
    assert!(!error.to_string().is_empty());
}

#[tokio::test]
async fn an_echo_sends_back_what_a_caller_says() {
    let endpoint = Endpoint::bind(EndpointConfig::new(([127, 0, 0, 1], 0).into())).await.unwrap();
    let (address, stop) = (endpoint.handle().local_addr(), CancellationToken::new());
    let serving = tokio::spawn(echo::serve(endpoint, stop.clone()));
    let callee = Callee::start(manner(false)).await;
    let target = Target { uri: format!("sip:echo@{address}"), ..callee.target(false) };
    let mut caller = phone().await.dial(&target).await.unwrap();
    let said = sound(300.0, 700);
    caller.say(&said).await.unwrap();
    caller.listen(Duration::from_millis(200)).await.unwrap();
    let report = caller.hang_up().await.unwrap();
    let found = alignment::compare(&report.heard, said.samples()).unwrap();
    assert!(found.correlation >= 0.99, "{found:?}");
    stop.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_fleet_of_callers_loses_no_call_and_leaves_no_dialog() {
    let callee = Callee::start(manner(false)).await;
    let phone = Arc::new(phone().await);
    let fleet = Fleet {
        calls: 10,
        rate: 20.0,
        ramp: Duration::ZERO,
        hold: Duration::from_secs(5),
        lines: vec![question()],
        target: callee.target(false),
        manners: Manners::default(),
    };
    let report = fleet::run(phone, fleet, Arc::new(Progress::default()), CancellationToken::new()).await;
    assert_eq!((report.calls, report.lost, report.one_way), (10, 0, 0), "{:?}", report.lost_why);
    assert!(report.questions >= 10 && report.unanswered == 0, "{report:?}");
    assert_eq!((report.media.lost, report.media.timestamp_jumps), (0, 0));
    tokio::time::timeout(Duration::from_secs(40), async {
        while callee.signalling.open_dialogs() > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("the callee still holds dialogs");
}

#[tokio::test]
async fn a_stopped_fleet_ends_its_calls_at_once() {
    let callee = Callee::start(manner(false)).await;
    let phone = Arc::new(phone().await);
    let fleet = Fleet {
        calls: 1000,
        rate: 10.0,
        ramp: Duration::ZERO,
        hold: Duration::from_secs(600),
        lines: vec![question()],
        target: callee.target(false),
        manners: Manners::default(),
    };
    let (stop, progress) = (CancellationToken::new(), Arc::new(Progress::default()));
    let running = tokio::spawn(fleet::run(phone, fleet, progress.clone(), stop.clone()));
    while progress.up.load(std::sync::atomic::Ordering::Relaxed) < 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    let report = tokio::time::timeout(Duration::from_secs(10), running).await.expect("calls go on").unwrap();
    assert!(report.interrupted && report.lost == 0, "{report:?}");
}
