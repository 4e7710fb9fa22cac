//! The document against the route table and the contract's golden examples.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::DOCUMENT;
use crate::http::routes::{Access, ROUTES};

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

fn example(path: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol/examples").join(path);
    serde_json::from_str(&fs::read_to_string(&file).unwrap_or_else(|e| panic!("{path}: {e}"))).unwrap()
}

/// Names of the security schemes an operation may be used with.
fn schemes(operation: &Value) -> BTreeSet<&str> {
    let security = operation["security"].as_array().unwrap();
    security.iter().flat_map(|scheme| scheme.as_object().unwrap().keys().map(String::as_str)).collect()
}

fn expected(access: Access) -> BTreeSet<&'static str> {
    match access {
        Access::Public => BTreeSet::new(),
        Access::Engine => BTreeSet::from(["engine"]),
        Access::Admin => BTreeSet::from(["admin"]),
        Access::Person | Access::Owner => BTreeSet::from(["session"]),
        Access::Member => BTreeSet::from(["session", "apiKey"]),
        Access::CallToken | Access::Dev => panic!("not of /v1"),
    }
}

/// What is wrong with `value` by `schema`: the keywords the document uses.
fn faults(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{reference}"));
        return faults(document, target, value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let found: Vec<_> = choices.iter().map(|choice| faults(document, choice, value, at)).collect();
        let fitting = found.iter().filter(|faults| faults.is_empty()).count();
        return if fitting == 1 { Vec::new() } else { vec![format!("{at}: {fitting} of oneOf fit: {found:?}")] };
    }
    let mut faults_found = Vec::new();
    if schema.get("const").is_some_and(|only| only != value) {
        faults_found.push(format!("{at}: is {value}"));
    }
    if schema["enum"].as_array().is_some_and(|choices| !choices.contains(value)) {
        faults_found.push(format!("{at}: {value} is not in the enum"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|name| is(name, value)) {
        faults_found.push(format!("{at}: {value} is no {types:?}"));
    }
    if let Value::Array(items) = value {
        for (index, item) in items.iter().enumerate() {
            faults_found.extend(faults(document, &schema["items"], item, &format!("{at}[{index}]")));
        }
    }
    if let Value::Object(fields) = value {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                faults_found.push(format!("{at}: lacks {name}"));
            }
        }
        for (name, field) in fields {
            match schema["properties"].get(name) {
                Some(known) => faults_found.extend(faults(document, known, field, &format!("{at}.{name}"))),
                None if schema["additionalProperties"] == false => faults_found.push(format!("{at}: has {name}")),
                None => {}
            }
        }
    }
    faults_found
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    }
}

#[test]
fn every_route_of_v1_is_described_with_its_method_and_credentials() {
    let document = document();
    for route in ROUTES.iter().filter(|route| route.path.starts_with("/v1/")) {
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        assert!(operation.is_object(), "{} {}", route.method, route.path);
        assert_eq!(schemes(operation), expected(route.access), "{} {}", route.method, route.path);
        let named: BTreeSet<&str> =
            route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let described: BTreeSet<&str> = parameters
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        assert_eq!(named, described, "{} {}", route.method, route.path);
    }
}

#[test]
fn nothing_is_described_that_is_not_there() {
    for (path, operations) in document()["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let there = ROUTES.iter().any(|route| route.path == path && route.method.eq_ignore_ascii_case(method));
            assert!(there, "{method} {path}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|field| references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(found.contains(format!("#/components/schemas/{name}").as_str()), "{name}");
    }
}

#[test]
fn the_contracts_examples_fit_the_schemas() {
    let document = document();
    let inside = |path: &str, pointer: &str| example(path).pointer(pointer).cloned().unwrap();
    let mut examples = vec![
        ("AdmissionRequest", example("admission/request.json")),
        ("AdmissionAnswer", example("admission_answer/accept.json")),
        ("AdmissionAnswer", example("admission_answer/refuse.json")),
        ("EventBatch", example("delivery_batch/batch.json")),
        ("BatchReceipt", example("delivery_receipt/receipt.json")),
        ("BatchReceipt", example("delivery_receipt/not_now.json")),
        ("UploadRequest", example("upload_request/request.json")),
        ("UploadStatus", example("upload_status/in_parts.json")),
        ("UploadStatus", example("upload_status/complete.json")),
        ("LedgerEntry", example("ledger_entry/grant.json")),
        ("LedgerEntry", example("ledger_entry/call_charge.json")),
        ("CallSummary", inside("live/call.json", "/call")),
        ("Balance", inside("live/balance.json", "/balance")),
        ("NodeSummary", inside("live/snapshot.json", "/nodes/0")),
    ];
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol/examples/events");
    for event in fs::read_dir(events).unwrap() {
        let name = event.unwrap().file_name().into_string().unwrap();
        examples.push(("CallEvent", example(&format!("events/{name}"))));
    }
    for (name, value) in examples {
        let schema = &document["components"]["schemas"][name];
        assert!(schema.is_object(), "{name}");
        assert_eq!(faults(&document, schema, &value, name), Vec::<String>::new());
    }
}

#[test]
fn what_does_not_fit_is_noticed() {
    let document = document();
    let mut entry = example("ledger_entry/grant.json");
    entry["microcredits"] = "1".into();
    entry["extra"] = 1.into();
    entry.as_object_mut().unwrap().remove("id");
    let found = faults(&document, &document["components"]["schemas"]["LedgerEntry"], &entry, "entry");
    assert_eq!(found.len(), 3, "{found:?}");
}
