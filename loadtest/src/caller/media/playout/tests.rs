//! What is played when, and which marks come back.
//! The time is the tests' own.

use super::*;

/// All that was played up to `now`, as ms since the beginning and what it was.
fn played(playout: &mut Playout, start: Instant, now: Instant) -> Vec<(u128, Option<String>)> {
    let mut all = Vec::new();
    while let Some((at, played)) = playout.next(now) {
        let name = if let Played::Mark(name) = played { Some(name) } else { None };
        all.push((at.duration_since(start).as_millis(), name));
    }
    all
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn frames_are_played_as_they_come_and_a_late_one_late() {
    let start = Instant::now();
    let mut playout = Playout::new(start);
    let mut all = Vec::new();
    for at in [0, 20, 47, 60] {
        playout.push(start + ms(at), &[0; 160]);
        all.extend(played(&mut playout, start, start + ms(at)));
    }
    all.extend(played(&mut playout, start, start + ms(100)));
    assert_eq!(all.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 20, 47, 67]);
}

#[test]
fn a_mark_comes_back_when_what_is_before_it_was_played() {
    let start = Instant::now();
    let mut playout = Playout::new(start);
    playout.push(start, &[0; 400]);
    playout.mark("a".to_owned());
    assert_eq!(played(&mut playout, start, start + ms(30)), [(0, None), (20, None)]);
    assert_eq!(played(&mut playout, start, start + ms(40)), [(40, Some("a".to_owned()))]);
    assert!(playout.due().is_none() && playout.is_silent(start + ms(60)));
}

#[test]
fn what_is_cleared_is_not_played_and_its_marks_are_told() {
    let start = Instant::now();
    let mut playout = Playout::new(start);
    playout.push(start, &[0; 800]);
    playout.mark("a".to_owned());
    played(&mut playout, start, start + ms(10));
    assert_eq!(playout.clear(), ["a"]);
    assert_eq!(playout.due(), None);
    playout.push(start + ms(15), &[0; 160]);
    assert_eq!(playout.due(), Some(start + ms(20)), "the frame that is being played is played to its end");
}
