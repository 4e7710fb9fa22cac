//! Two sides talk over the socket: greeting, question, answer, interruption, keys.

use std::time::Duration;

use edge_protocol::EventKind;
use engine::audio::g711::Law;
use loadtest::measure::level;
use serde_json::json;

use super::Served;
use crate::node::Settings;
use crate::provider::Provider;
use crate::socket::{Client, SPEECH};

const SOON: Duration = Duration::from_secs(15);

/// Frames in which somebody is heard.
pub fn voiced(audio: &[(tokio::time::Instant, Vec<u8>)]) -> usize {
    let is_voiced = |frame: &[u8]| level::is_voiced(&frame.iter().map(|&b| Law::Mu.decode(b)).collect::<Vec<_>>());
    audio.iter().filter(|(_, frame)| is_voiced(frame)).count()
}

#[tokio::test]
async fn a_conversation_in_literal_json() {
    let served = Served::start("greeting = \"Good morning, how can I help?\"", "At nine.", Settings::new());
    let served = served.await.expect("a node");
    let mut events = served.node.events().await.expect("its events");
    let mut client = Client::connect(served.node.http, &[]).await.expect("a socket").expect("an upgrade");

    client.send_text(r#"{"type":"start","v":1,"call_id":null,"from":"sip:alice@example.com","to":"+49 30 1234567"}"#);
    let started = client.until("started").await.expect("the call starts");
    let call_id = started["call_id"].as_str().expect("an id").to_owned();
    let live = node_says(served.node.http, "/v1/calls").await;
    assert_eq!(live[0]["call_id"], call_id);
    assert_eq!(live[0]["from"], "sip:alice@example.com");

    // The greeting: its text, then 29 letters of 60 ms each in frames of 20 ms, as fast as one can listen.
    let greeting = client.until("agent_text").await.expect("the greeting's text");
    assert_eq!(greeting, json!({"type": "agent_text", "text": "Good morning, how can I help?"}));
    client.until_quiet(Duration::from_millis(500)).await;
    let heard = client.audio(0);
    assert!(heard.iter().all(|(_, frame)| frame.len() == 160));
    assert!((85..=100).contains(&heard.len()), "{} frames for 1.74 s of voice", heard.len());
    assert!(voiced(&heard) >= 60, "{} of {} frames are voiced", voiced(&heard), heard.len());
    let took = heard[heard.len() - 1].0 - heard[0].0;
    assert!(took >= Duration::from_millis(1000), "frames come in real time, not at once: {took:?}");

    // The question, in real time; the answer.
    let before = client.log.len();
    client.say(SPEECH);
    assert_eq!(client.until("thinking").await.expect("thinking"), json!({"type": "thinking"}));
    let caller = client.until("caller_text").await.expect("the caller's words");
    assert_eq!(caller, json!({"type": "caller_text", "text": "what are your opening hours"}));
    let answer = client.until("agent_text").await.expect("the answer's text");
    assert_eq!(answer, json!({"type": "agent_text", "text": "At nine."}));
    client.until_quiet(Duration::from_millis(500)).await;
    assert!(voiced(&client.audio(before)) >= 15, "the answer is heard");
    assert_eq!(client.kinds(), ["started", "agent_text", "audio", "thinking", "caller_text", "agent_text", "audio"]);

    client.send_text(r#"{"type":"hangup"}"#);
    assert_eq!(client.until("ended").await.expect("the end"), json!({"type": "ended", "cause": "caller_hung_up"}));
    assert_eq!(client.closed().await.expect("closed"), Some(1000));

    // The same call in the node's facts, and on its recording.
    let ready = |kind: &EventKind| matches!(kind, EventKind::RecordingReady { .. });
    events.until("recording", SOON, ready).await.expect("a recording");
    assert!(events.seen.iter().enumerate().all(|(n, event)| event.seq == n as u64 && event.call_id == call_id));
    let EventKind::CallStarted { from, to, codec, sip_call_id, .. } = &events.seen[0].kind else { panic!() };
    assert_eq!((from.as_str(), to.as_str()), ("sip:alice@example.com", "+49 30 1234567"));
    assert_eq!((codec.as_str(), sip_call_id.as_str()), ("PCMU", ""));
    let wav = &served.node.recordings()[0];
    let samples: Vec<i16> = hound::WavReader::open(wav).unwrap().samples().map(Result::unwrap).collect();
    let side = |n: usize| samples.iter().skip(n).step_by(2).copied().collect::<Vec<_>>();
    for (whose, n) in [("caller", 0), ("agent", 1)] {
        let frames = side(n).chunks(160).filter(|frame| level::is_voiced(frame)).count();
        assert!(frames >= 20, "{frames} voiced frames of the {whose} are recorded");
    }
    assert!(node_says(served.node.http, "/v1/calls").await.as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_caller_who_cuts_in_is_heard_and_the_agent_stops() {
    let long = "I have a great many things to say about this and I am going to say all of them to you now.";
    let served = Served::start(&format!("greeting = \"{long}\""), "Yes.", Settings::new()).await.expect("a node");
    let mut events = served.node.events().await.expect("its events");
    let (mut client, _) = Client::dial(served.node.http, "alice").await.expect("a call");
    client.until("audio").await.expect("the greeting");
    client.say(SPEECH);
    client.until("flush").await.expect("a flush");
    let flushed = client.log.len();
    client.until("thinking").await.expect("the end of the caller's turn");
    assert_eq!(voiced(&client.audio(flushed)), 0, "the agent is silent while the caller speaks");
    client.until_one("the answer", |m| m["text"] == "Yes.").await.expect("an answer");
    let barge_in = |kind: &EventKind| matches!(kind, EventKind::BargeIn { .. });
    events.until("barge-in", SOON, barge_in).await.expect("a fact about it");
}

#[tokio::test]
async fn keys_are_a_turn_of_their_own() {
    let served = Served::start("", "Thank you.", Settings::new()).await.expect("a node");
    let (mut client, _) = Client::dial(served.node.http, "alice").await.expect("a call");
    for key in ["4", "2", "#"] {
        client.send(&json!({"type": "dtmf", "digit": key}));
    }
    let said = client.until("caller_text").await.expect("the keys");
    assert_eq!(said["text"], "[pressed 42#]");
    client.until_one("the answer", |m| m["text"] == "Thank you.").await.expect("an answer");
}

#[tokio::test]
async fn an_agent_is_answered_for_by_the_provider_it_names() {
    let dir = tempfile::tempdir().expect("a directory");
    let cheap = Provider::start(dir.path(), &["--reply", "Cheaply."]).await.expect("a provider");
    let [(_, base_url)] = cheap.settings().try_into().expect("where it is");
    let settings = vec![
        ("TANDEM_SPEECH__PROVIDERS__CHEAP__BASE_URL", base_url),
        ("TANDEM_SPEECH__ORDER__CHAT", "[\"main\", \"cheap\"]".to_owned()),
    ];
    let served = Served::start("chat_provider = \"cheap\"", "Dearly.", settings).await.expect("a node");
    let mut events = served.node.events().await.expect("its events");
    let (mut client, _) = Client::dial(served.node.http, "alice").await.expect("a call");
    client.say(SPEECH);
    client.until_one("the answer", |m| m["text"] == "Cheaply.").await.expect("an answer");
    client.send(&json!({"type": "hangup"}));
    let over = |kind: &EventKind| matches!(kind, EventKind::CallEnded { .. });
    let ended = events.until("the end of the call", SOON, over).await.expect("the call ends");
    let EventKind::CallEnded { usage, .. } = ended.kind else { panic!("the end of a call") };
    let answered: Vec<_> = usage.iter().filter(|used| used.output_tokens > 0).map(|used| &used.provider).collect();
    assert_eq!(answered, ["cheap"], "and paid for what it takes");
}

#[tokio::test]
async fn calls_over_one_node_do_not_hear_each_other() {
    let served = Served::start("", "Yes.", Settings::new()).await.expect("a node");
    let (mut asks, first) = Client::dial(served.node.http, "alice").await.expect("a call");
    let (mut listens, second) = Client::dial(served.node.http, "bob").await.expect("another");
    assert_ne!(first, second);
    asks.say(SPEECH);
    asks.until_one("the answer", |m| m["text"] == "Yes.").await.expect("an answer");
    asks.send(&json!({"type": "hangup"}));
    asks.until("ended").await.expect("the end");
    listens.send(&json!({"type": "hangup"}));
    listens.until("ended").await.expect("the end");
    assert_eq!(listens.kinds(), ["started", "ended"]);
}

async fn node_says(http: u16, path: &str) -> serde_json::Value {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    client.get(format!("http://127.0.0.1:{http}{path}")).send().await.unwrap().json().await.unwrap()
}
