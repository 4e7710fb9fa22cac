//! Behaviour of agents, numbers and the event spool.
//! Nothing here runs outside tests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use edge_protocol::{CallEvent, EndCause, EventKind, MediaQuality, VERSION};
use tempfile::TempDir;

use std::sync::Arc;

use super::*;
use crate::config::RouteConfig;
use crate::dir_lock::LockError;

const RECEPTION: &str = r#"
name = "reception"
instructions = "You answer the phone."
greeting = "Hello, this is the reception."
numbers = ["+49 (30) 123-45", "reception"]
max_call_s = 60

# For the offline server only.
[[reply]]
heard = ["when are you open"]
say = "From nine to five."
"#;

fn agent(text: &str) -> Result<AgentProfile, AgentError> {
    AgentProfile::parse(text, Path::new("agents/test.toml"))
}

fn named(name: &str, numbers: &[&str]) -> AgentProfile {
    let mut agent = agent(RECEPTION).unwrap();
    Arc::make_mut(&mut agent.settings).name = name.to_owned();
    agent.numbers = numbers.iter().map(|&number| number.to_owned()).collect();
    agent
}

fn open(dir: &Path) -> EventSpool {
    EventSpool::open(SpoolConfig::new(dir)).unwrap().0
}

fn event(call_id: &str, seq: u64, kind: EventKind) -> CallEvent {
    CallEvent { v: VERSION, call_id: call_id.to_owned(), seq, call_started_at_ms: 1000, at_ms: seq * 100, kind }
}

fn speech(call_id: &str, seq: u64) -> CallEvent {
    event(call_id, seq, EventKind::SpeechStarted { turn: 1 })
}

fn replayed(dir: &Path) -> Vec<CallEvent> {
    replay(dir).unwrap().map(Result::unwrap).collect()
}

fn segment_names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".jsonl"));
    names.sort();
    names
}

#[test]
fn an_agent_is_read_from_the_top_of_the_file_and_the_offline_sections_are_skipped() {
    let agent = agent(RECEPTION).unwrap().settings;
    assert_eq!(agent.name, "reception");
    assert_eq!(agent.greeting, "Hello, this is the reception.");
    assert_eq!(agent.max_call, Duration::from_secs(60));
    assert!(!agent.goodbye.is_empty() && !agent.fallback.is_empty() && !agent.silence_prompts.is_empty());
}

#[test]
fn a_call_may_last_five_minutes_unless_the_agent_says_otherwise() {
    let agent = agent("name = \"a\"\ninstructions = \"b\"").unwrap().settings;
    assert_eq!(agent.max_call, Duration::from_secs(300));
}

#[test]
fn what_is_wrong_in_an_agent_file_is_named_with_file_and_value() {
    let wrong = [
        ("name = \"a\"\ninstructions = \"b\"\nmax_call_s = 0", "max_call_s = 0"),
        ("name = \"a\"\ninstructions = \"b\"\nendpointing_ms = 9000", "endpointing_ms = 9000"),
        ("name = \"a\"\ninstructions = \"b\"\nsilence_after_ms = 5", "silence_after_ms = 5"),
        ("name = \" \"\ninstructions = \"b\"", "name = \" \""),
        ("name = \"a\"", "instructions"),
        ("name = 5\ninstructions = \"b\"", "name = 5"),
        ("name = ", "line 1"),
    ];
    for (text, told) in wrong {
        let error = agent(text).unwrap_err().to_string();
        assert!(error.contains("agents/test.toml") && error.contains(told), "{error}");
    }
    let error = AgentProfile::load(Path::new("/nowhere/agent.toml")).unwrap_err().to_string();
    assert!(error.contains("/nowhere/agent.toml"), "{error}");
}

fn request(request_uri: &str, to: &str) -> CallRequest {
    CallRequest {
        direction: Direction::Inbound,
        call_id: "call".to_owned(),
        sip_call_id: "abc@example.com".to_owned(),
        from: "sip:caller@example.com".to_owned(),
        to: to.to_owned(),
        request_uri: request_uri.to_owned(),
        source: "127.0.0.1:5060".parse().unwrap(),
        headers: Vec::new(),
        identity: None,
    }
}

#[tokio::test]
async fn the_called_number_chooses_the_agent() {
    let agents = vec![named("first", &[]), named("berlin", &["+49 30 123-45", "sales"])];
    let control = Embedded::new(agents).unwrap();
    let cases = [
        ("sip:+493012345@10.0.0.1:5070;transport=tcp", "sip:x@example.com", "berlin"),
        ("tel:+49-30-12345;phone-context=example.com", "sip:x@example.com", "berlin"),
        ("sips:sales@example.com", "sip:x@example.com", "berlin"),
        ("sip:node@10.0.0.1", "sip:sales@example.com", "berlin"),
        ("sip:Sales@example.com", "sip:x@example.com", "first"),
        ("sip:example.com", "", "first"),
    ];
    for (request_uri, to, expected) in cases {
        match control.authorise(request(request_uri, to)).await {
            Decision::Accept(admitted) => assert_eq!(admitted.agent.name, expected, "{request_uri}"),
            Decision::Refuse(refusal) => panic!("{refusal:?}"),
        }
    }
}

#[tokio::test]
async fn a_routed_number_is_put_through_and_a_call_we_make_is_not() {
    let route = |number: &str, to: &str, trunk: &str| RouteConfig {
        number: number.to_owned(),
        to: to.to_owned(),
        trunk: trunk.to_owned(),
        record: false,
    };
    let agents = vec![named("first", &["100"])];
    let routes = [route("+49 30 1", "sip:bob@pbx.example", ""), route("100", "", "carrier")];
    let control = Embedded::new(agents).unwrap().with_routes(&routes);
    let cases = [
        ("sip:+49301@x", Some(("sip:bob@pbx.example", None))),
        ("sip:100@x", Some(("100", Some("carrier")))),
        ("sip:200@x", None),
    ];
    for (called, expected) in cases {
        let Decision::Accept(admitted) = control.authorise(request(called, called)).await else { panic!("{called}") };
        let route = admitted.route.as_ref().map(|route| (route.to.as_str(), route.trunk.as_deref()));
        assert_eq!(route, expected, "{called}");
    }
    let ours = CallRequest { direction: Direction::Outbound, ..request("sip:100@x", "sip:200@x") };
    let Decision::Accept(admitted) = control.authorise(ours).await else { panic!("refused") };
    assert_eq!((admitted.route.clone(), admitted.agent.name.as_str()), (None, "first"));
}

#[test]
fn two_agents_cannot_have_one_number() {
    let agents = vec![named("first", &["+49 30 1"]), named("second", &["+49-30-1"])];
    let error = Embedded::new(agents).err();
    assert!(matches!(error, Some(EmbeddedError::NumberTaken { .. })), "{error:?}");
    assert_eq!(Embedded::new(Vec::new()).err(), Some(EmbeddedError::NoAgent));
}

#[tokio::test]
async fn an_event_is_on_disk_when_a_live_reader_is_told_of_it() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    let mut live = spool.subscribe();
    for seq in 0..50 {
        spool.publish(speech("a", seq)).unwrap();
        let told = live.recv().await.unwrap();
        assert_eq!(*told, speech("a", seq));
        assert_eq!(replayed(dir.path()).last(), Some(&*told));
    }
}

#[tokio::test]
async fn events_come_back_in_order_over_many_files_and_restarts() {
    let dir = TempDir::new().unwrap();
    let config = SpoolConfig { segment_bytes: 500, ..SpoolConfig::new(dir.path()) };
    for start in [0, 20] {
        let (spool, _) = EventSpool::open(config.clone()).unwrap();
        for seq in start..start + 20 {
            spool.publish(speech("a", seq)).unwrap();
            spool.flush().await.unwrap();
        }
    }
    let expected: Vec<CallEvent> = (0..40).map(|seq| speech("a", seq)).collect();
    assert_eq!(replayed(dir.path()), expected);
    assert!(segment_names(dir.path()).len() > 5, "{:?}", segment_names(dir.path()));
}

#[test]
fn dropping_the_spool_writes_what_is_waiting() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    for seq in 0..1000 {
        spool.publish(speech("a", seq)).unwrap();
    }
    drop(spool);
    assert_eq!(replayed(dir.path()).len(), 1000);
}

#[test]
fn a_torn_last_line_is_cut_off_and_the_next_event_follows_a_whole_one() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    spool.publish(speech("a", 0)).unwrap();
    drop(spool);
    let path = dir.path().join(segment_names(dir.path()).remove(0));
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"v\":1,\"call_id\":");
    fs::write(&path, bytes).unwrap();
    assert_eq!(replayed(dir.path()), [speech("a", 0)]);

    let spool = open(dir.path());
    spool.publish(speech("a", 1)).unwrap();
    drop(spool);
    assert_eq!(replayed(dir.path()), [speech("a", 0), speech("a", 1)]);
}

#[test]
fn a_damaged_line_is_told_with_its_place_and_the_rest_is_read() {
    let dir = TempDir::new().unwrap();
    let lines = [serde_json::to_string(&speech("a", 0)).unwrap(), "garbage".to_owned()];
    let last = serde_json::to_string(&speech("a", 2)).unwrap();
    fs::write(dir.path().join("2026-01-31-0001.jsonl"), format!("{}\n{last}\n", lines.join("\n"))).unwrap();
    let events: Vec<_> = replay(dir.path()).unwrap().collect();
    assert!(matches!(events[..], [Ok(_), Err(SpoolError::Line { line: 2, .. }), Ok(_)]), "{events:?}");
    assert_eq!(EventSpool::open(SpoolConfig::new(dir.path())).unwrap().1[0].next_seq, 3);
}

#[test]
fn recent_calls_are_told_at_the_next_start_with_their_next_seq() {
    let dir = TempDir::new().unwrap();
    let ended = || EventKind::CallEnded {
        cause: EndCause::CallerHungUp,
        duration_ms: 300,
        turns: 0,
        quality: MediaQuality::default(),
        sip: None,
        wasted_requests: 0,
        usage: Vec::new(),
    };
    let ready = || EventKind::RecordingReady { path: "x.wav".to_owned(), duration_ms: 300, bytes: 1 };
    let spool = open(dir.path());
    for event in [
        speech("crashed", 0),
        speech("crashed", 1),
        speech("ended", 0),
        event("ended", 1, ended()),
        event("complete", 0, ended()),
        event("complete", 1, ready()),
    ] {
        spool.publish(event).unwrap();
    }
    drop(spool);
    let tails = EventSpool::open(SpoolConfig::new(dir.path())).unwrap().1;
    let told: Vec<_> = tails.iter().map(|tail| (tail.call_id.as_str(), tail.next_seq, tail.ended)).collect();
    assert_eq!(told, [("complete", 2, true), ("crashed", 2, false), ("ended", 2, true)]);
    assert_eq!(tails.iter().map(CallTail::is_finished).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!((tails[1].call_started_at_ms, tails[1].last_at_ms), (1000, 100));
}

#[test]
fn a_second_spool_in_the_same_directory_is_turned_away() {
    let dir = TempDir::new().unwrap();
    let _spool = open(dir.path());
    assert!(matches!(EventSpool::open(SpoolConfig::new(dir.path())), Err(SpoolError::Lock(LockError::InUse { .. }))));
}

#[test]
fn a_directory_that_cannot_be_is_named_in_the_error() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = EventSpool::open(SpoolConfig::new(file.join("events"))).err().expect("no spool").to_string();
    assert!(error.contains("file/events"), "{error}");
}
