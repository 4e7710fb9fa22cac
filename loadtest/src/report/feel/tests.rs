//! What outcomes add up to.
//! Calls are made in `tests/`.

use super::*;
use crate::caller::DialError;
use crate::feel::Failed;

fn tried(kind: Kind, outcome: Outcome) -> Tried {
    Tried { kind, name: "a <name>".to_owned(), outcome: Ok(outcome), media: None }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn report() -> FeelReport {
    let mut all: Vec<Tried> =
        (1..=100).map(|n| tried(Kind::Answers, Outcome::Answered { after: ms(400 + n) })).collect();
    all.extend([
        tried(Kind::Answers, Outcome::Unanswered),
        tried(Kind::Answers, Outcome::AnsweredInside { pause: ms(0) }),
        tried(Kind::Pauses, Outcome::AnsweredInside { pause: ms(600) }),
        tried(Kind::Pauses, Outcome::WaitedOut { pause: ms(600), after: ms(700) }),
        tried(Kind::Pauses, Outcome::WaitedOut { pause: ms(300), after: ms(500) }),
        tried(Kind::CutIns, Outcome::CutIn { stopped_after: Some(ms(120)) }),
        tried(Kind::CutIns, Outcome::CutIn { stopped_after: None }),
        tried(Kind::CutIns, Outcome::TooShort),
        tried(Kind::Words, Outcome::InPassing { ended: true, went_on: false }),
        tried(Kind::Words, Outcome::InPassing { ended: false, went_on: true }),
    ]);
    let outcome = Err(Failed::Dial(DialError::Stopped));
    all.push(Tried { kind: Kind::Sounds, name: String::new(), outcome, media: None });
    FeelReport::new("ws://agent/<ws>", 4, ms(8000), &all)
}

#[test]
fn outcomes_are_counted_by_what_was_tried() {
    let report = report();
    let heard = &report.caller_heard;
    assert_eq!((heard.p50_ms, heard.p95_ms, heard.max_ms, heard.all_ms.len()), (450.0, 495.0, 500.0, 100));
    assert_eq!((report.answered_inside, report.unanswered), (Share { some: 1, of: 102 }, Share { some: 1, of: 102 }));
    assert_eq!(report.cut_off, [(300, Share { some: 0, of: 1 }), (600, Share { some: 1, of: 2 })].into());
    assert_eq!((report.stopped, report.barge_in_stop.max_ms), (Share { some: 1, of: 2 }, 120.0));
    assert_eq!((report.word_ended.some, report.word_went_on.some, report.sound_ended.of), (1, 1, 0));
    assert_eq!(report.failed.values().sum::<usize>(), 2, "{:?}", report.failed);
    assert_eq!(report.false_stops, ["a <name>"]);
}

#[test]
fn the_page_has_a_plot_of_each_and_no_foreign_markup() {
    let page = page(&report());
    assert_eq!(page.matches("<svg").count(), 4, "{page}");
    assert_eq!(page.matches("</svg>").count(), 4);
    assert!(page.contains("ws://agent/&lt;ws&gt;") && !page.contains("<ws>"));
    assert!(!page.contains("http"), "it needs nothing from elsewhere");
}
