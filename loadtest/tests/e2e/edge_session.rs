//! A client that can only reach the Worker talks to the agent: `/ws/call-session`, relayed to a real node and back.
//! The messages are literally those of the contract; the node hears and speaks offline.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use engine::audio::g711::Law;
use loadtest::measure::level;
use loadtest::voice::Utterance;
use serde_json::{Value, json};

use crate::edge::Edge;
use crate::node::Node;
use crate::socket::Client;

fn audio_message(audio: &[u8]) -> Value {
    json!({ "type": "audio", "data": STANDARD.encode(audio), "format": "mulaw", "sampleRate": 8000 })
}

/// Frames of what the agent said in which somebody is heard.
fn voiced(client: &Client) -> usize {
    let spoken = client.log.iter().filter(|(_, message)| message["type"] == "audio_response");
    let frames = spoken.filter_map(|(_, message)| STANDARD.decode(message["audio"].as_str()?).ok());
    let is_voiced = |frame: &[u8]| level::is_voiced(&frame.iter().map(|&b| Law::Mu.decode(b)).collect::<Vec<_>>());
    frames.filter(|frame| is_voiced(frame)).count()
}

#[tokio::test]
async fn a_conversation_through_the_worker_in_its_literal_messages() {
    let dir = tempfile::tempdir().expect("a directory");
    let edge = Edge::start(dir.path()).await.expect("the edge");
    let _node = Node::start("node-1", dir.path(), edge.settings()).await.expect("a node");
    let token = edge.token().await.expect("a token");
    edge.until_linked(&token, "node-1").await.expect("the node's link");
    let session = edge.post(&token, "/v1/call-tokens").await.expect("a call token");
    let (url, call_id) = (session["url"].as_str().expect("a URL"), session["call_id"].as_str().expect("an id"));
    let mut client = Client::open(url, &[], audio_message).await.expect("a socket").expect("an upgrade");

    client.send_text(&format!(
        r#"{{"type":"start_call","callId":"{call_id}","userId":"user_1","metadata":{{"phoneNumber":"agent","campaignId":"spring"}}}}"#
    ));
    let ready = |message: &Value| message["type"] == "status" && message["status"] == "ready";
    client.until_one("ready", ready).await.expect("the agent listens");
    let greets = |message: &Value| message["text"].as_str().is_some_and(|text| text.starts_with("Hello"));
    client.until_one("the greeting", greets).await.expect("the greeting");
    client.until_quiet(std::time::Duration::from_millis(700)).await;
    assert!(voiced(&client) > 50, "{} voiced frames of the greeting", voiced(&client));

    let question = Utterance::spoken("what are your opening hours", "kal16").await.expect("a question");
    let question: Vec<u8> = question.samples().iter().map(|&sample| Law::Mu.encode(sample)).collect();
    client.say(&question);
    let works = |message: &Value| message["status"] == "processing";
    client.until_one("processing", works).await.expect("the question is worked on");
    let answers = |message: &Value| message["text"].as_str().is_some_and(|text| text.contains("open"));
    client.until_one("the answer", answers).await.expect("an answer");

    client.send_text(r#"{"type":"end_call"}"#);
    client.closed().await.expect("closed");
    let known = edge.until_call(&token, call_id, |call| call["summary"]["status"] == "ended").await.expect("the call");
    assert_eq!(known["summary"]["cause"], "caller_hung_up", "{known}");
}
