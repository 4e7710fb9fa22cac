//! Columns hold what their names say, and every standing query names columns there are.

use std::fs;
use std::path::Path;

use super::*;

fn request() -> RequestPoint {
    RequestPoint {
        request_id: "r1".into(),
        endpoint: "/v1/calls/{call_id}".into(),
        method: "GET".into(),
        status: 200,
        duration_ms: 12,
        account_id: "acc_1".into(),
        call_id: "c1".into(),
        cache: "MISS".into(),
        bottleneck: ("auth".into(), 9),
    }
}

#[test]
fn a_request_is_found_under_its_columns() {
    let columns = request().columns();
    assert_eq!(columns.index, "acc_1");
    let named: Vec<_> = BLOBS.iter().zip(&columns.blobs).map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        named,
        [
            ("type", "request"),
            ("endpoint", "/v1/calls/{call_id}"),
            ("method", "GET"),
            ("status", "200"),
            ("account_id", "acc_1"),
            ("call_id", "c1"),
            ("cache", "MISS"),
            ("bottleneck", "auth"),
        ]
    );
    assert_eq!(columns.doubles, [12.0, 1.0, 0.0, 9.0, 0.0]);
}

#[test]
fn our_fault_is_no_success_theirs_is() {
    let success = |status| RequestPoint { status, ..request() }.columns().doubles[1];
    assert_eq!([200, 404, 429, 500, 503].map(success), [1.0, 1.0, 1.0, 0.0, 0.0]);
}

#[test]
fn a_call_has_the_same_columns() {
    let point = CallPoint {
        account_id: "acc_1".into(),
        call_id: "c1".into(),
        node: "n1".into(),
        cause: "caller_hung_up".into(),
        good: true,
        duration_ms: 61_000,
        turns: 4,
        cost_microcredits: 50_813,
        latency_ms: 640,
    };
    let columns = point.columns();
    assert_eq!(columns.blobs.len(), BLOBS.len());
    assert_eq!(columns.blobs[0], "call");
    assert_eq!(columns.doubles, [61_000.0, 1.0, 50_813.0, 640.0, 4.0]);
}

#[test]
fn long_values_are_cut_between_characters() {
    let columns = RequestPoint { endpoint: "é".repeat(400), account_id: "€".repeat(40), ..request() }.columns();
    assert_eq!(columns.blobs[1], "é".repeat(256));
    assert_eq!(columns.index, "€".repeat(32));
}

#[test]
fn standing_queries_name_columns_there_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("analytics");
    let mut queries = 0;
    for file in fs::read_dir(folder).unwrap() {
        let sql = fs::read_to_string(file.unwrap().path()).unwrap();
        queries += 1;
        assert!(sql.starts_with("-- ") && sql.contains("_sample_interval"), "{sql}");
        for (kind, names) in [("blob", &BLOBS[..]), ("double", &DOUBLES[..])] {
            for (at, _) in sql.match_indices(kind) {
                let digits: String = sql[at + kind.len()..].chars().take_while(char::is_ascii_digit).collect();
                let number: usize = digits.parse().unwrap();
                assert!((1..=names.len()).contains(&number), "{kind}{number}: {sql}");
            }
        }
    }
    assert!(queries >= 5);
}
