//! How far two strings of phones are apart.
//! What is made of it is `belief`'s.

use super::*;

#[test]
fn like_sounds_cost_half_and_lengths_count() {
    assert_eq!(distance(&["T", "AY", "M"], &["T", "AY", "M"]), 0.0);
    assert_eq!(distance(&["D", "AY", "M"], &["T", "AY", "M"]), 0.5 / 3.0);
    assert_eq!(distance(&["K", "AY", "M"], &["T", "AY", "M"]), 1.0 / 3.0);
    assert_eq!(distance(&["AY", "M"], &["T", "AY", "M"]), 1.0 / 3.0);
    assert_eq!(distance(&["S", "T", "AY", "M"], &["T", "AY", "M"]), 1.0 / 3.0);
    assert_eq!(distance(&[], &["T", "AY"]), 1.0);
    assert_eq!(distance(&["T"], &[]), 1.0);
}
