//! What a client may not do: talk nonsense, send more than can be heard, keep a place for nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::Served;
use crate::node::Settings;
use crate::socket::{Client, SPEECH, audio_message};

const SOON: Duration = Duration::from_secs(15);

/// How long a client may take to say which call it wants.
const GIVEN_TO_START: Duration = Duration::from_secs(10);

#[tokio::test]
async fn nonsense_is_answered_and_the_third_in_a_row_ends_the_call() {
    let served = Served::start("", "Yes.", Settings::new()).await.expect("a node");
    let (mut client, _) = Client::dial(served.node.http, "alice").await.expect("a call");
    for _ in 0..4 {
        client.send_text("{\"type\":\"sing\"}");
        let error = client.until("error").await.expect("an error");
        assert!(error["message"].as_str().unwrap().contains("sing"), "{error}");
        // A usable message: the client's audio goes on.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    client.say(SPEECH);
    client.until_one("the answer", |m| m["text"] == "Yes.").await.expect("the call goes on");

    client.hush();
    for nonsense in ["", "[]", "{\"type\":\"audio\",\"data\":\"?\"}"] {
        client.send_text(nonsense);
    }
    let ended = client.until("ended").await.expect("the end");
    assert_eq!(ended, json!({"type": "ended", "cause": "signalling_failed"}));
    served.node.until_idle(SOON).await.expect("no call holds a place");
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_the_call() {
    let served = Served::start("", "Yes.", Settings::new()).await.expect("a node");
    let (mut client, _) = Client::dial(served.node.http, "alice").await.expect("a call");
    client.send_text(&"x".repeat(65 << 10));
    client.until("ended").await.expect("the end");
    served.node.until_idle(SOON).await.expect("no call holds a place");
}

#[tokio::test]
async fn a_client_that_floods_is_told_once_and_its_call_goes_on() {
    let served = Served::start("", "Yes.", Settings::new()).await.expect("a node");
    let (mut client, _) = Client::dial(served.node.http, "alice").await.expect("a call");
    // Ten seconds of silence at once.
    for _ in 0..10 {
        client.send(&audio_message(&[0xFF; 8000]));
    }
    let error = client.until("error").await.expect("an error");
    assert!(error["message"].as_str().unwrap().contains("faster than real time"), "{error}");
    client.say(SPEECH);
    client.until_one("the answer", |m| m["text"] == "Yes.").await.expect("the call goes on");
    let errors = |(_, message): &&(tokio::time::Instant, Value)| message["type"] == "error";
    assert_eq!(client.log.iter().filter(errors).count(), 1);
}

#[tokio::test]
async fn a_full_node_answers_503_and_a_place_is_free_again_once_its_call_is_over() {
    let one = vec![("TANDEM_MAX_CALLS", "1".to_owned())];
    let served = Served::start("", "Yes.", one).await.expect("a node");
    let (client, _) = Client::dial(served.node.http, "alice").await.expect("a call");
    let refused = Client::connect(served.node.http, &[]).await.expect("an answer").err().expect("a refusal");
    assert_eq!(refused.status, 503);
    assert!(
        refused.body.starts_with(r#"{"error":{"code":"full","#) && refused.body.ends_with("}\n"),
        "{}",
        refused.body
    );
    client.send(&json!({"type": "hangup"}));
    client.closed().await.expect("closed");
    served.node.until_idle(SOON).await.expect("no call holds a place");
    Client::dial(served.node.http, "bob").await.expect("the place is free");
}

#[tokio::test]
async fn a_client_that_does_not_start_is_sent_away() {
    let served = Served::start("", "Yes.", Settings::new()).await.expect("a node");
    let early = Client::connect(served.node.http, &[]).await.expect("a socket").expect("an upgrade");
    let mut silent = Client::connect(served.node.http, &[]).await.expect("a socket").expect("an upgrade");
    early.send(&json!({"type": "hangup"}));
    assert_eq!(early.closed().await.expect("closed"), Some(1008));
    let mut early = Client::connect(served.node.http, &[]).await.expect("a socket").expect("an upgrade");
    for _ in 0..3 {
        early.send(&audio_message(&[0xFF; 160]));
        let error = early.until("error").await.expect("an error");
        assert!(error["message"].as_str().unwrap().contains("start"), "{error}");
    }
    let closed = early.closed();
    assert_eq!(tokio::time::timeout(GIVEN_TO_START / 2, closed).await.expect("at once").expect("closed"), Some(1008));
    let error = silent.until("error").await.expect("an error");
    assert!(error["message"].as_str().unwrap().contains("10 s"), "{error}");
    assert_eq!(silent.closed().await.expect("closed"), Some(1008));
    served.node.until_idle(SOON).await.expect("no client holds a place");
}
