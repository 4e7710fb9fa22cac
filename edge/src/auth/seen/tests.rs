//! A signature is new once, for as long as it could be used.

use super::*;

#[test]
fn a_signature_is_new_once() {
    let mut seen = Seen::new(8);
    assert_eq!(seen.first_time("a", 1_000), Ok(true));
    assert_eq!(seen.first_time("a", 2_000), Ok(false));
    assert_eq!(seen.first_time("b", 1_000), Ok(true));
}

#[test]
fn what_was_loaded_is_not_new_and_not_written_again() {
    let mut seen = Seen::new(8);
    seen.load("a".into(), 1_000);
    assert_eq!(seen.first_time("a", 1_000), Ok(false));
    assert!(seen.unwritten().is_empty());
}

#[test]
fn each_is_written_once_and_known_before_and_after() {
    let mut seen = Seen::new(8);
    seen.first_time("a", 1_000).unwrap();
    seen.first_time("a", 1_000).unwrap();
    assert_eq!(seen.unwritten(), [("a".to_owned(), 1_000)]);
    seen.written();
    assert!(seen.unwritten().is_empty());
    assert_eq!(seen.first_time("a", 1_000), Ok(false));
}

#[test]
fn the_old_are_forgotten_once_a_minute_and_no_sooner_than_they_expire() {
    let mut seen = Seen::new(8);
    assert!(seen.sweep(100_000));
    seen.first_time("old", 110_000).unwrap();
    seen.first_time("young", 160_000).unwrap();
    assert!(!seen.sweep(159_999));
    assert_eq!(seen.first_time("old", 110_000), Ok(false));
    assert!(seen.sweep(160_000));
    assert_eq!(seen.first_time("young", 160_000), Ok(false));
    assert_eq!(seen.first_time("old", 200_000), Ok(true));
}

#[test]
fn without_room_a_signature_is_refused_rather_than_another_forgotten() {
    let mut seen = Seen::new(1);
    seen.first_time("a", 10).unwrap();
    assert_eq!(seen.first_time("b", 10), Err(Full(1)));
    assert_eq!(seen.first_time("a", 10), Ok(false));
    assert!(seen.sweep(60_000));
    assert_eq!(seen.first_time("b", 70_000), Ok(true));
}
