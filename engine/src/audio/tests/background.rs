//! Somebody stands out from what is behind the caller, or does not.
//! What that means for a turn is seen in `tests/talk`.

use crate::audio::background::Background;

/// What is said of the last of so many frames at this level, one after the other.
fn after(background: &mut Background, level_dbov: f32, frames: usize) -> bool {
    (0..frames).for_each(|_| background.follow(level_dbov));
    background.is_exceeded()
}

#[test]
fn who_is_louder_than_what_is_behind_stands_out_and_who_has_stopped_does_not() {
    let mut background = Background::new();
    assert!(!after(&mut background, -40.0, 100));
    assert!(after(&mut background, -30.0, 10));
    assert!(after(&mut background, -30.0, 150));
    assert!(!after(&mut background, -40.0, 25));
}

#[test]
fn what_becomes_louder_and_stays_so_is_behind_after_six_seconds() {
    let mut background = Background::new();
    after(&mut background, -50.0, 100);
    assert!(after(&mut background, -30.0, 250));
    assert!(!after(&mut background, -30.0, 60));
}

#[test]
fn a_first_word_is_not_what_is_behind_its_speaker() {
    let mut background = Background::new();
    after(&mut background, -96.0, 100);
    assert!(after(&mut background, -30.0, 45));
}

#[test]
fn who_sends_only_what_is_loud_stands_out_from_the_silence_between() {
    let mut background = Background::new();
    after(&mut background, -30.0, 100);
    after(&mut background, -96.0, 100);
    assert!(after(&mut background, -30.0, 100));
}
