//! DSNs as Sentry hands them out, envelopes as it reads them.

use super::*;

#[test]
fn a_dsn_tells_where_and_as_whom() {
    let dsn = Dsn::parse("https://abc@o1.ingest.sentry.io/42").unwrap();
    let envelope = dsn.envelope("e1", "staging", "it broke", &[], 0);
    assert_eq!(envelope.url, "https://o1.ingest.sentry.io/api/42/envelope/");
    assert!(envelope.auth.ends_with("sentry_key=abc"), "{}", envelope.auth);
    let dsn = Dsn::parse("http://abc@127.0.0.1:9000/sentry/7").unwrap();
    assert_eq!(dsn.envelope("e1", "dev", "it broke", &[], 0).url, "http://127.0.0.1:9000/sentry/api/7/envelope/");
}

#[test]
fn what_is_no_dsn_is_refused() {
    for text in
        ["", "abc", "https://o1.ingest.sentry.io/42", "https://abc@host/", "ftp://abc@host/42", "mailto:abc@host"]
    {
        assert_eq!(Dsn::parse(text), Err(DsnError), "{text}");
    }
}

#[test]
fn an_envelope_is_three_lines_and_its_length_is_right() {
    let dsn = Dsn::parse("https://abc@host/42").unwrap();
    let facts = [("job_id", "job_1"), ("call_id", ""), ("error", "a\nb")];
    let body = dsn.envelope("00ff", "staging", "a job failed for good", &facts, 1_500).body;
    let lines: Vec<&str> = body.lines().collect();
    let [header, item, event] = lines[..] else { panic!("{body}") };
    let json = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    assert_eq!(json(header)["event_id"], "00ff");
    assert_eq!(json(item)["length"], event.len());
    let event = json(event);
    assert_eq!(event["timestamp"], 1.5);
    assert_eq!(event["environment"], "staging");
    assert_eq!(event["message"]["formatted"], "a job failed for good");
    assert_eq!(event["extra"], json!({ "job_id": "job_1", "error": "a\nb" }));
}
