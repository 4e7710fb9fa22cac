//! No layer outlives an entry, no two entries share a name.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn sources(id: &str) -> [Source; 2] {
    [Source::CallSummary { call_id: id.into() }, Source::Recording { call_id: id.into() }]
}

#[test]
fn names_differ_by_kind_id_and_deployment() {
    let mut names = HashSet::new();
    for version in ["v1", "v2"] {
        for id in ["a", "b"] {
            for source in sources(id) {
                assert!(names.insert(source.key(version)), "{source:?}");
            }
        }
    }
}

#[test]
fn an_entry_lives_as_long_as_its_source_says() {
    for source in sources("a") {
        let entry = Entry::new(&source, json!({}), 1_000);
        assert!(entry.is_fresh(1_000 + source.ttl_ms() - 1));
        assert!(!entry.is_fresh(1_000 + source.ttl_ms()));
    }
}

#[test]
fn a_source_is_asked_three_times_with_growing_pauses() {
    assert_eq!([1, 2, 3].map(back_off_ms), [Some(50), Some(200), None]);
}

proptest! {
    #[test]
    fn the_edge_never_outlives_an_entry_and_kv_keeps_its_minimum(left in 0..10_000_000u64, now in 0..u64::MAX / 2) {
        let entry = Entry { expires_at_ms: now + left, value: json!(null) };
        prop_assert!(entry.edge_ttl_s(now) * 1000 <= left);
        prop_assert!(entry.kv_ttl_s(now) >= 60);
        prop_assert!(entry.kv_ttl_s(now) * 1000 >= left);
    }
}
