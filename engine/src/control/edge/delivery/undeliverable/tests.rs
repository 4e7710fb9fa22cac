use std::fs;

use tempfile::TempDir;

use super::*;

#[test]
fn what_a_crash_left_half_written_spoils_no_event_after_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(FILE);
    keep(dir.path(), &[Bytes::from_static(b"one")], "too big").unwrap();
    let mut torn = fs::read(&path).unwrap();
    torn.extend_from_slice(b"{\"error\":\"to");
    fs::write(&path, torn).unwrap();
    keep(dir.path(), &[Bytes::from_static(b"two"), Bytes::from_static(b"three")], "too big").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let events: Vec<_> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .map(|line| line["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(events, ["one", "two", "three"]);
}
