//! Who may call over the socket, and as whom.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use edge_protocol::EventKind;
use edge_protocol::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use serde_json::{Value, json};

use super::Served;
use crate::node::Settings;
use crate::socket::Client;

pub const SECRET: &str = "the edge's secret";
const SOON: Duration = Duration::from_secs(15);

/// What admission said of a call, from the contract's examples.
const ACCEPTED: &str = include_str!("../../../../edge/protocol/examples/admission_answer/accept.json");

pub fn signed(path: &str) -> Vec<(&'static str, String)> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let signature = sign(SECRET.as_bytes(), now, path.as_bytes());
    vec![(TIMESTAMP_HEADER, now.to_string()), (SIGNATURE_HEADER, signature)]
}

pub fn start(call_id: Option<&str>, admitted: Option<Value>) -> Value {
    let mut start = json!({"type": "start", "v": 1, "call_id": call_id, "from": "user-7", "to": ""});
    if let Some(admitted) = admitted {
        start["admitted"] = admitted;
    }
    start
}

pub fn acceptance() -> Value {
    let mut accepted: Value = serde_json::from_str(ACCEPTED).unwrap();
    accepted.as_object_mut().unwrap().remove("decision");
    accepted
}

#[tokio::test]
async fn who_signs_as_the_edge_says_what_admission_decided() {
    let edge = vec![("TANDEM_EDGE__URL", "http://127.0.0.1:9".to_owned()), ("TANDEM_EDGE__SECRET", SECRET.to_owned())];
    let served = Served::start("", "Yes.", edge).await.expect("a node");
    let mut events = served.node.events().await.expect("its events");
    let headers = signed("/ws/tandem");
    let mut client = Client::connect(served.node.http, &headers).await.expect("a socket").expect("an upgrade");
    let id = "0192f0c1-7d3e-7aaa-8bbb-0123456789ab";
    client.send(&start(Some(id), Some(acceptance())));
    assert_eq!(client.until("started").await.expect("the call starts")["call_id"], id);
    let started = |kind: &EventKind| matches!(kind, EventKind::CallStarted { .. });
    let event = events.until("start", SOON, started).await.expect("a fact about it");
    assert_eq!(event.call_id, id);
    let EventKind::CallStarted { account_id, profile_id, agent, .. } = event.kind else { unreachable!() };
    let accepted = acceptance();
    assert_eq!(account_id.as_deref(), accepted["account_id"].as_str());
    assert_eq!(profile_id.as_deref(), accepted["profile_id"].as_str());
    assert_eq!(Some(agent.as_str()), accepted["agent"]["name"].as_str());

    for (why, headers) in [("used before", headers), ("for another path", signed("/ws/twilio"))] {
        let refused = Client::connect(served.node.http, &headers).await.expect("an answer").err().expect(why);
        assert_eq!(refused.status, 401, "{why}");
        assert!(refused.body.starts_with(r#"{"error":{"code":"unauthorized","#), "{}", refused.body);
    }

    // A client of this machine needs no signature, but the edge's leave, and nobody is there to give it.
    let mut local = Client::connect(served.node.http, &[]).await.expect("a socket").expect("an upgrade");
    local.send(&start(None, None));
    local.until("error").await.expect("a refusal");
    assert_eq!(local.closed().await.expect("closed"), Some(1013));
}

#[tokio::test]
async fn others_may_not_say_what_admission_decided() {
    let served = Served::start("", "Yes.", Settings::new()).await.expect("a node");
    let mut client = Client::connect(served.node.http, &[]).await.expect("a socket").expect("an upgrade");
    client.send(&start(None, Some(acceptance())));
    client.until("error").await.expect("a refusal");
    assert_eq!(client.closed().await.expect("closed"), Some(1008));

    // And a browser that only looks at the address is told what lives there.
    let browser = reqwest::Client::builder().timeout(SOON).build().unwrap();
    let page = browser.get(format!("http://127.0.0.1:{}/ws/tandem", served.node.http)).send().await.unwrap();
    assert!(page.status().is_client_error(), "{}", page.status());
    let error: Value = page.json().await.expect("JSON");
    assert_eq!(error["error"]["code"], "not_a_websocket");
    served.node.until_idle(SOON).await.expect("no client holds a place");
}

#[tokio::test]
async fn an_id_names_one_call_only() {
    let served = Served::start("", "Yes.", Settings::new()).await.expect("a node");
    let mut events = served.node.events().await.expect("its events");
    let id = "0192f0c1-7d3e-7aaa-8bbb-0123456789ab";
    let connect = async || Client::connect(served.node.http, &[]).await.expect("a socket").expect("an upgrade");
    let refused = async |id: &str, named: &str| {
        let mut client = connect().await;
        client.send(&start(Some(id), None));
        let error = client.until("error").await.expect("a refusal");
        assert!(error["message"].as_str().unwrap().contains(named), "{error}");
    };
    let mut first = connect().await;
    first.send(&start(Some(&id.to_uppercase()), None));
    assert_eq!(first.until("started").await.expect("the call starts")["call_id"], id);
    refused(id, "call_id").await;
    refused("../../etc/passwd", "no UUID").await;
    first.send(&json!({"type": "hangup"}));
    first.until("ended").await.expect("the end");
    let ready = |kind: &EventKind| matches!(kind, EventKind::RecordingReady { .. });
    events.until("recording", SOON, ready).await.expect("a recording");
    refused(id, "call_id").await;
}
