//! Ranges as players send them, and as nobody should.

use proptest::prelude::*;

use super::*;

fn part(offset: u64, length: u64) -> Selection {
    Selection::Part { offset, length }
}

#[test]
fn ranges_select_what_they_name() {
    assert_eq!(select(None, 100), Selection::Whole);
    assert_eq!(select(Some("bytes=0-"), 100), part(0, 100));
    assert_eq!(select(Some("bytes=0-0"), 100), part(0, 1));
    assert_eq!(select(Some("bytes=10-19"), 100), part(10, 10));
    assert_eq!(select(Some("bytes=90-1000"), 100), part(90, 10));
    assert_eq!(select(Some("Bytes = 5-6"), 100), part(5, 2));
}

#[test]
fn a_suffix_counts_from_the_end() {
    assert_eq!(select(Some("bytes=-1"), 100), part(99, 1));
    assert_eq!(select(Some("bytes=-1000"), 100), part(0, 100));
    assert_eq!(select(Some("bytes=-0"), 100), Selection::Unsatisfiable);
}

#[test]
fn a_range_behind_the_end_is_unsatisfiable() {
    assert_eq!(select(Some("bytes=100-"), 100), Selection::Unsatisfiable);
    assert_eq!(select(Some("bytes=99999999999999999999-"), 100), Selection::Unsatisfiable);
    assert_eq!(select(Some("bytes=0-"), 0), Selection::Unsatisfiable);
}

#[test]
fn what_is_no_single_range_is_ignored() {
    for header in [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-4",
        "bytes=0-1,4-5",
        "items=0-1",
        "bytes=+1-2",
        "bytes=1-2-3",
    ] {
        assert_eq!(select(Some(header), 100), Selection::Whole, "{header}");
    }
}

#[test]
fn an_entity_tag_is_found_in_a_list_weak_or_not() {
    let etag = "\"abc\"";
    for header in ["\"abc\"", "\"x\", \"abc\"", "W/\"abc\"", "*"] {
        assert!(unchanged(Some(header), etag), "{header}");
    }
    assert!(!unchanged(Some("\"ab\", abc"), etag));
    assert!(!unchanged(None, etag));
}

#[test]
fn a_range_counts_only_for_the_entity_it_was_meant_for() {
    assert!(range_counts(None, "\"abc\""));
    assert!(range_counts(Some("\"abc\""), "\"abc\""));
    assert!(!range_counts(Some("W/\"abc\""), "\"abc\""));
    assert!(!range_counts(Some("Sat, 01 Jan 2000 00:00:00 GMT"), "\"abc\""));
}

proptest! {
    #[test]
    fn a_selection_never_leaves_the_file(first in any::<Option<u64>>(), last in any::<Option<u64>>(), size in any::<u64>()) {
        let text = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let header = format!("bytes={}-{}", text(first), text(last));
        if let Selection::Part { offset, length } = select(Some(&header), size) {
            prop_assert!(length > 0);
            prop_assert!(offset.checked_add(length).is_some_and(|end| end <= size));
        }
    }

    #[test]
    fn a_range_inside_the_file_is_given_exactly(size in 1u64..1_000_000, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let (a, b) = (a.index(size as usize) as u64, b.index(size as usize) as u64);
        let (first, last) = (a.min(b), a.max(b));
        prop_assert_eq!(select(Some(&format!("bytes={first}-{last}")), size), part(first, last - first + 1));
    }

    #[test]
    fn no_header_makes_it_fail(header in ".*", size in any::<u64>()) {
        let _ = select(Some(&header), size);
        let _ = unchanged(Some(&header), "\"abc\"");
    }
}
