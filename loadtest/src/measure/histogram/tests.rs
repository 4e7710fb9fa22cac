//! Durations on their way from one machine to another.
//! The counting itself is the library's.

use super::*;

#[test]
fn what_was_counted_arrives_as_it_was() {
    let mut counted = Durations::default();
    for us in [0, 1, 999, 20_017, 612_345, 59_999_999, 70_000_000] {
        counted.record(Duration::from_micros(us));
    }
    let text = serde_json::to_string(&counted).unwrap();
    assert_eq!(serde_json::from_str::<Durations>(&text).unwrap(), counted);
}

#[test]
fn percentiles_of_parts_merged_are_those_of_the_whole() {
    let (mut whole, mut merged) = (Durations::default(), Durations::default());
    for part in 0..3_u64 {
        let mut counted = Durations::default();
        for n in 0..100 {
            let took = Duration::from_micros(500 + n * n * (part + 1));
            whole.record(took);
            counted.record(took);
        }
        let text = serde_json::to_string(&counted).unwrap();
        merged.merge(&serde_json::from_str(&text).unwrap());
    }
    assert_eq!(merged.percentiles(), whole.percentiles());
}

#[test]
fn what_is_no_histogram_is_refused() {
    for text in ["\"\"", "\"AAAA\"", "\"not base64!\"", "7"] {
        assert!(serde_json::from_str::<Durations>(text).is_err(), "{text}");
    }
}
