//! What a report says and when it refuses to.
//! The numbers come from `measure`.

use std::time::Duration;

use super::*;
use crate::caller::LineHeard;
use crate::caller::media::{LegReport, SendCounts};
use crate::measure::histogram::Durations;
use crate::measure::spacing::SpacingCounts;

/// A minute of perfect media.
fn leg() -> LegReport {
    let (mut spacing, mut lateness) = (Durations::default(), Durations::default());
    (0..3000).for_each(|_| spacing.record(Duration::from_millis(20)));
    (0..3000).for_each(|_| lateness.record(Duration::from_micros(100)));
    LegReport {
        sending: SendCounts { nominal: 3000, sent: 3000, lateness },
        received: SpacingCounts { packets: 3001, spacing, even: 3000, ..SpacingCounts::default() },
        voiced_frames: 900,
        ignored: 0,
        rtcp: 12,
        first_packet: None,
        heard: Vec::new(),
    }
}

fn call(leg: LegReport, lost: Option<&str>) -> CallResult {
    let line = LineHeard { latency_ms: Some(612.0), answered: true, ..LineHeard::default() };
    CallResult {
        setup: Some(Duration::from_millis(9)),
        refused: None,
        lines: vec![line],
        lost: lost.map(str::to_owned),
        media: Some(leg),
    }
}

#[test]
fn a_run_nobody_noticed_has_no_problem() {
    let report = FleetReport::new(&[call(leg(), None), call(leg(), None)], 2, false);
    assert_eq!(report.problems(), [""; 0]);
    assert_eq!(report.media.generator_too_slow(), None);
    assert_eq!((report.calls, report.questions, report.media.received), (2, 2, 6002));
    assert!((report.caller_heard.p50_ms - 612.0).abs() < 1.0, "{report:?}");
}

#[test]
fn lost_calls_are_counted_by_reason() {
    let refused = || CallResult {
        setup: None,
        refused: Some(Duration::from_millis(3)),
        lines: Vec::new(),
        lost: Some("503".to_owned()),
        media: None,
    };
    let report = FleetReport::new(&[refused(), refused(), call(leg(), Some("hung up"))], 1, false);
    assert_eq!(report.problems(), ["2 calls refused: 503", "1 calls lost: hung up"]);
    assert_eq!((report.refused, report.refusal.count, report.lost), (2, 2, 1));
    let full = FleetReport { may_refuse: true, ..report.clone() };
    assert_eq!(full.problems(), ["1 calls lost: hung up"]);
    assert!(fleet_page(&report, "sip:<agent>").contains("refused: 503"));
}

#[test]
fn each_stream_has_its_score_the_worst_first() {
    let mut rough = leg();
    (rough.received.lost, rough.received.gaps) = (150, 150);
    let report = FleetReport::new(&[call(leg(), None), call(rough, None), call(leg(), None)], 3, false);
    let scores: Vec<f64> = report.streams.iter().map(|stream| stream.mos).collect();
    assert!(scores[0] < 4.0 && scores[1] > 4.3, "{scores:?}");
    assert_eq!((report.lowest_mos, report.median_mos), (Some(scores[0]), Some(scores[1])));
    let page = fleet_page(&report, "sip:<agent>");
    assert!(page.contains("<svg") && page.contains("sip:&lt;agent&gt;"), "{page}");
}

#[test]
fn callers_who_say_nothing_ask_no_question_and_still_want_packets() {
    let quiet = |packets| {
        let mut leg = leg();
        (leg.voiced_frames, leg.received.packets) = (0, packets);
        CallResult { lines: Vec::new(), ..call(leg, None) }
    };
    let mut report = FleetReport::new(&[quiet(3000)], 1, false);
    report.quiet = true;
    assert_eq!(report.problems(), [""; 0]);
    assert_eq!(FleetReport::new(&[quiet(0)], 1, false).one_way, 1);
}

#[test]
fn a_call_that_heard_only_silence_is_one_way() {
    let mut silent = leg();
    silent.voiced_frames = 0;
    let report = FleetReport::new(&[call(silent, None)], 1, false);
    assert_eq!((report.one_way, report.problems().len()), (1, 1));
}

#[test]
fn an_unanswered_question_is_a_problem() {
    let mut call = call(leg(), None);
    call.lines.push(LineHeard::default());
    let report = FleetReport::new(&[call], 1, false);
    assert_eq!(report.problems(), ["1 of 2 questions were not answered in time"]);
}

#[test]
fn gaps_and_uneven_packets_are_problems_of_the_media() {
    let mut rough = leg();
    rough.received.gaps = 2;
    (0..100).for_each(|_| rough.received.spacing.record(Duration::from_millis(30)));
    let report = FleetReport::new(&[call(rough, None)], 1, false);
    assert_eq!(
        report.problems(),
        ["packet spacing p99 is 30.0 ms, not within 20 ± 3 ms", "2 pauses of more than 40 ms between packets"]
    );
    assert_eq!(report.disturbed, 1);
}

#[test]
fn packets_we_did_not_send_make_the_generator_too_slow() {
    let mut slow = leg();
    slow.sending.nominal = 3100;
    let report = FleetReport::new(&[call(slow, None)], 1, false);
    assert!(report.media.generator_too_slow().unwrap().contains("96.77 %"));
}

#[test]
fn packets_we_sent_late_make_the_generator_too_slow() {
    let mut slow = leg();
    (0..100).for_each(|_| slow.sending.lateness.record(Duration::from_millis(60)));
    assert!(MediaReport::from(&slow).generator_too_slow().is_some());
}

fn talk() -> TalkReport {
    TalkReport {
        lines: vec!["hello".to_owned(), "bye".to_owned()],
        setup_ms: 8.0,
        heard: vec![LineHeard { answered: true, ..LineHeard::default() }; 2],
        verdicts: Vec::new(),
        greeting_missed: Vec::new(),
        ended: None,
        recording: None,
        media: leg(),
    }
}

#[test]
fn a_talk_cut_short_says_where() {
    let mut cut = talk();
    cut.heard.truncate(1);
    cut.ended = Some("the other side hung up".to_owned());
    assert_eq!(cut.problems(), ["the call was over after 1 of 2 lines: the other side hung up"]);
    assert_eq!(talk().problems(), [""; 0]);
}

#[test]
fn a_talk_without_a_packet_back_is_one_way() {
    let mut silent = talk();
    silent.media.received = SpacingCounts::default();
    assert_eq!(silent.problems(), ["not one audio packet came back (one-way audio)"]);
}
