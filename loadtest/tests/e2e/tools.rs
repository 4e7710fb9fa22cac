//! An agent whose model calls tools: a webhook's result is spoken, a transfer reaches who is named in the agent's file.
//! The model is the stub's, which calls the tool it was told to; everything else is real.

use std::fs;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use edge_protocol::EventKind;
use edge_protocol::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, verify};
use loadtest::voice::Utterance;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;

use crate::api::{SOON, rings, straight_to, waiting_phone};
use crate::node::{Node, Settings};
use crate::provider::Provider;

/// An agent with these lines in its file, answered for by a model that calls `tool`.
async fn node(dir: &Path, agent: &str, tool: &str, arguments: &Value) -> (Node, Provider) {
    let text = format!("name = \"Shop\"\ninstructions = \"Be brief.\"\ngreeting = \"Hello.\"\n{agent}");
    let file = dir.join("shop.toml");
    fs::write(&file, text).expect("an agent file");
    let options = ["--tool", tool, "--tool-arguments", &arguments.to_string()];
    let provider = Provider::start(dir, &options).await.expect("a provider");
    let mut settings: Settings = provider.settings();
    settings.push(("TANDEM_AGENT", file.display().to_string()));
    (Node::start("node-1", dir, settings).await.expect("a node"), provider)
}

#[tokio::test]
async fn what_a_webhook_finds_is_said_and_the_filler_while_it_takes_long() {
    let (seen, mut requests) = unbounded_channel();
    let answer = async move |headers: HeaderMap, body: Bytes| {
        let _ = seen.send((headers, body));
        tokio::time::sleep(Duration::from_millis(1500)).await;
        "shipped"
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/orders", listener.local_addr().expect("an address"));
    let router = Router::new().route("/orders", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let dir = TempDir::new().expect("a directory");
    let agent = format!(
        "[[tools]]\nname = \"find_order\"\ndescription = \"Finds an order.\"\nurl = \"{url}\"\nsecret = \"s3cret\"\n\
         filler = \"Let me look.\"\n"
    );
    let (node, _provider) = node(dir.path(), &agent, "find_order", &json!({ "order": 42 })).await;
    let mut events = node.events().await.expect("its events");
    let (phone, _) = waiting_phone().await.expect("a phone");
    let mut call = phone.dial(&straight_to(&node, "agent")).await.expect("a call");
    assert!(call.voice_starts(SOON).await.expect("a live call").is_some(), "the greeting is heard");
    call.finishes(Duration::from_millis(600), SOON).await.expect("a live call");
    call.say(&Utterance::spoken("where is my order", "rms").await.expect("a voice")).await.expect("a live call");

    let over = |kind: &EventKind| matches!(kind, EventKind::TurnCompleted { .. });
    let completed = events.until("the answer", SOON, over).await.expect("it answers");
    let EventKind::TurnCompleted { heard_text, .. } = completed.kind else { panic!("a completed turn") };
    assert_eq!(heard_text, "Let me look. The result is shipped.");
    let finished = events.seen.iter().find_map(|event| match &event.kind {
        EventKind::ToolFinished { tool, result, failed, .. } => Some((tool.as_str(), result.as_str(), *failed)),
        _ => None,
    });
    assert_eq!(finished, Some(("find_order", "shipped", false)));

    let (headers, body) = requests.recv().await.expect("the webhook was asked");
    let asked: Value = serde_json::from_slice(&body).expect("JSON");
    let expected = json!({ "call_id": completed.call_id, "tool": "find_order", "arguments": { "order": 42 } });
    assert_eq!(asked, expected);
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (stamp, signature) = (header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER));
    let now = stamp.and_then(|stamp| stamp.parse().ok()).expect("a time stamp");
    assert_eq!(verify(b"s3cret", stamp, signature, &body, now), Ok(()));
    call.hang_up().await;
    node.until_idle(SOON).await.expect("no call holds a place");
}

#[tokio::test]
async fn a_model_that_transfers_puts_the_caller_through() {
    let (mut other, other_uri) = waiting_phone().await.expect("a phone");
    let dir = TempDir::new().expect("a directory");
    let agent = format!("transfer_to = {{ sales = \"{other_uri}\" }}\n");
    let (node, _provider) = node(dir.path(), &agent, "transfer", &json!({ "to": "sales" })).await;
    let mut events = node.events().await.expect("its events");
    let (phone, _) = waiting_phone().await.expect("a phone");
    let mut call = phone.dial(&straight_to(&node, "agent")).await.expect("a call");
    assert!(call.voice_starts(SOON).await.expect("a live call").is_some(), "the greeting is heard");
    call.finishes(Duration::from_millis(600), SOON).await.expect("a live call");
    call.say(&Utterance::spoken("sales please", "rms").await.expect("a voice")).await.expect("a live call");

    let other = rings(&mut other).await.expect("it rings").answer().await.expect("picked up");
    let bridged = |kind: &EventKind| matches!(kind, EventKind::Bridged { .. });
    events.until("the bridge", SOON, bridged).await.expect("both are connected");
    let started = EventKind::TransferStarted { to: other_uri, mode: edge_protocol::TransferMode::Bridge };
    assert!(events.seen.iter().any(|event| event.kind == started));
    other.hang_up().await;
    call.hang_up().await;
    node.until_idle(SOON).await.expect("no call holds a place");
}
