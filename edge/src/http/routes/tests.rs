use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn concrete(route: &Route, values: &[String]) -> (String, Vec<String>) {
    let mut values = values.iter().cycle();
    let mut used = Vec::new();
    let segments: Vec<String> = route
        .path
        .split('/')
        .map(|segment| {
            if !segment.starts_with('{') {
                return segment.to_owned();
            }
            let value = values.next().unwrap().clone();
            used.push(value.clone());
            value
        })
        .collect();
    (segments.join("/"), used)
}

#[test]
fn no_two_routes_have_the_same_method_and_path_or_id() {
    let mut seen = HashSet::new();
    let mut ids = HashSet::new();
    for route in ROUTES {
        let shape: Vec<&str> =
            route.path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect();
        assert!(seen.insert((route.method, shape)), "{} {}", route.method, route.path);
        assert!(ids.insert(route.id), "{:?}", route.id);
        assert!(is_api(route.path), "{} would be taken for a page", route.path);
    }
}

/// `tests/routes.json` is what the tests of credentials and of random input read.
/// After a change of the table: `UPDATE_ROUTES=1 cargo test -p edge routes`.
#[test]
fn the_list_the_end_to_end_tests_read_is_this_table() {
    let mut lines: Vec<String> = Vec::new();
    for route in ROUTES {
        let access = format!("{:?}", route.access);
        let line = serde_json::json!([format!("{:?}", route.id), route.method, route.path, access, route.max_body]);
        lines.push(format!("  {line}"));
    }
    let list = format!("[\n{}\n]\n", lines.join(",\n"));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/routes.json");
    if std::env::var_os("UPDATE_ROUTES").is_some() {
        std::fs::write(file, &list).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap_or_default(), list, "see the comment above this test");
}

#[test]
fn pages_and_the_api_do_not_overlap() {
    for page in ["/", "/index.html", "/calls/123", "/v10/calls", "/healthy", "/developers", "/assets/index.js"] {
        assert!(!is_api(page), "{page}");
    }
    for api in ["/v1", "/v1/", "/v1/nothing", "/ws/x", "/dev/token", "/recordings/1", "/health", "/metrics"] {
        assert!(is_api(api), "{api}");
    }
}

proptest! {
    #[test]
    fn a_route_is_found_by_its_path_with_its_parameters(
        at in 0..ROUTES.len(),
        values in proptest::collection::vec("[A-Za-z0-9_.%+-]{1,40}", 3),
    ) {
        let route = &ROUTES[at];
        let (path, used) = concrete(route, &values);
        match find(route.method, &path) {
            Match::Found(found, params) => {
                // A value may happen to spell another route's fixed segment; then that one may be meant.
                if found.id == route.id {
                    let got: Vec<String> = params.0.iter().map(|(_, value)| value.clone()).collect();
                    prop_assert_eq!(got, used);
                }
            }
            other => prop_assert!(false, "{} {path}: {other:?}", route.method),
        }
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones(
        at in 0..ROUTES.len(),
        method in "[A-Z]{3,7}",
        value in "[a-z0-9]{8,40}",
    ) {
        let (path, _) = concrete(&ROUTES[at], &[value]);
        match find(&method, &path) {
            Match::Found(route, _) => prop_assert!(route.method == method || method == "HEAD"),
            Match::WrongMethod(allowed) => {
                prop_assert!(allowed.contains(&ROUTES[at].method));
                prop_assert!(!allowed.contains(&method.as_str()));
            }
            Match::Unknown => prop_assert!(false, "{path} exists"),
        }
    }

    #[test]
    fn no_path_is_too_strange(method in ".{0,10}", path in ".{0,200}") {
        let _ = (find(&method, &path), is_api(&path));
    }

    #[test]
    fn an_empty_segment_is_no_parameter(at in 0..ROUTES.len()) {
        let route = &ROUTES[at];
        if route.path.contains('{') {
            let (path, _) = concrete(route, &[String::new()]);
            prop_assert!(!matches!(find(route.method, &path), Match::Found(found, _) if found.id == route.id));
        }
    }
}
