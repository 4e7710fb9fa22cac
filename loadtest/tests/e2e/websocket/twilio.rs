//! A client that speaks as Twilio's documentation says, and nothing more.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use edge_protocol::{EndCause, EventKind};
use serde_json::{Value, json};

use super::Served;
use super::conversation::voiced;
use crate::node::Settings;
use crate::socket::{Client, SPEECH};

const SOON: Duration = Duration::from_secs(15);
const STREAM: &str = "MZ18ad3ab5a668481ce02b83e7395059f0";

fn media(audio: &[u8]) -> Value {
    let media = json!({"track": "inbound", "chunk": "1", "timestamp": "5", "payload": STANDARD.encode(audio)});
    json!({"event": "media", "sequenceNumber": "2", "media": media, "streamSid": STREAM})
}

/// Connects, and sends what Twilio sends first.
async fn dial(http: u16) -> Client {
    let url = format!("ws://127.0.0.1:{http}/ws/twilio");
    let client = Client::open(&url, &[], media).await.expect("a socket").expect("an upgrade");
    client.send(&json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}));
    let format = json!({"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1});
    let start = json!({"accountSid": "AC1", "streamSid": STREAM, "callSid": "CA1", "tracks": ["inbound"],
        "mediaFormat": format, "customParameters": {"from": "+15550100", "to": "+15550111", "Name": "Ann"}});
    client.send(&json!({"event": "start", "sequenceNumber": "1", "start": start, "streamSid": STREAM}));
    client
}

#[tokio::test]
async fn a_conversation_over_media_streams() {
    let served = Served::start("greeting = \"Hello {{name}} at {{caller}}.\"", "At nine.", Settings::new());
    let served = served.await.expect("a node");
    let mut events = served.node.events().await.expect("its events");
    let mut client = dial(served.node.http).await;

    // The first frame of the greeting, and the mark that tells when it was played.
    let first = client.until("media").await.expect("the greeting");
    assert_eq!(first["streamSid"], STREAM);
    let mark = client.until("mark").await.expect("a mark");
    assert_eq!(mark, json!({"event": "mark", "streamSid": STREAM, "mark": {"name": "1"}}));
    client.send(&mark);
    let is_prompt = |kind: &EventKind| matches!(kind, EventKind::PromptStarted { .. });
    let prompt = events.until("the greeting", SOON, is_prompt).await.expect("its text");
    let EventKind::PromptStarted { text } = prompt.kind else { unreachable!() };
    assert_eq!(text, "Hello Ann at +15550100.");
    let EventKind::CallStarted { from, to, headers, .. } = &events.seen[0].kind else { panic!() };
    assert_eq!((from.as_str(), to.as_str()), ("+15550100", "+15550111"));
    assert!(headers.contains(&("call_sid".to_owned(), "CA1".to_owned())), "{headers:?}");
    client.until_quiet(Duration::from_millis(500)).await;

    let before = client.log.len();
    client.say(SPEECH);
    let completed = |kind: &EventKind| matches!(kind, EventKind::TurnCompleted { .. });
    events.until("the answer", SOON, completed).await.expect("a turn");
    client.until_quiet(Duration::from_millis(500)).await;
    assert!(voiced(&client.audio(before)) >= 15, "the answer is heard");

    let goodbye = json!({"accountSid": "AC1", "callSid": "CA1"});
    client.send(&json!({"event": "stop", "sequenceNumber": "9", "stop": goodbye, "streamSid": STREAM}));
    let ended = |kind: &EventKind| matches!(kind, EventKind::CallEnded { cause: EndCause::CallerHungUp, .. });
    events.until("the end", SOON, ended).await.expect("the call's end");
    assert_eq!(client.closed().await.expect("closed"), Some(1000));
}

#[tokio::test]
async fn who_cuts_in_has_the_rest_cleared() {
    let long = "I have a great many things to say about this and I am going to say all of them to you now.";
    let served = Served::start(&format!("greeting = \"{long}\""), "Yes.", Settings::new()).await.expect("a node");
    let mut events = served.node.events().await.expect("its events");
    let mut client = dial(served.node.http).await;
    client.until("media").await.expect("the greeting");
    client.say(SPEECH);
    let clear = client.until("clear").await.expect("a clear");
    assert_eq!(clear, json!({"event": "clear", "streamSid": STREAM}));
    let barge_in = |kind: &EventKind| matches!(kind, EventKind::BargeIn { .. });
    events.until("barge-in", SOON, barge_in).await.expect("a fact about it");
    client.send(&json!({"event": "dtmf", "sequenceNumber": "5", "dtmf": {"track": "inbound_track", "digit": "4"}}));
    let key = |kind: &EventKind| matches!(kind, EventKind::Dtmf { digit: '4', .. });
    events.until("a key", SOON, key).await.expect("the key");
}

#[tokio::test]
async fn a_signature_that_does_not_fit_is_refused() {
    let settings = vec![("TANDEM_TWILIO__AUTH_TOKEN", "a1b2c3".to_owned())];
    let served = Served::start("", "Yes.", settings).await.expect("a node");
    let url = format!("ws://127.0.0.1:{}/ws/twilio", served.node.http);
    let forged = [("x-twilio-signature", "bm9uZQ==".to_owned())];
    let refused = Client::open(&url, &forged, media).await.expect("an answer").err().expect("a refusal");
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("twilio.auth_token"), "{}", refused.body);
}
