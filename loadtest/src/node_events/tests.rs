//! The node's event stream, as bytes come.
//! The node itself is tested end to end.

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use super::*;

fn started(call_id: &str, sip_call_id: &str) -> CallEvent {
    let kind = serde_json::json!({
        "v": 1, "call_id": call_id, "seq": 0, "call_started_at_ms": 0, "at_ms": 0,
        "type": "call_started", "direction": "inbound", "from": "sip:a@b", "to": "sip:c@d",
        "sip_call_id": sip_call_id, "codec": "PCMU", "agent": "reception", "node": "n1", "headers": [],
    });
    serde_json::from_value(kind).unwrap()
}

fn barge_in(call_id: &str) -> CallEvent {
    CallEvent {
        v: 1,
        call_id: call_id.to_owned(),
        seq: 1,
        call_started_at_ms: 0,
        at_ms: 900,
        kind: EventKind::BargeIn { heard_ms: 700 },
    }
}

/// A node whose event stream is `body`, then ends.
async fn node(body: String) -> String {
    let app = Router::new().route("/v1/events", get(async move || body));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    url
}

#[tokio::test]
async fn events_come_in_order_and_what_cannot_be_read_is_left_out() {
    let events = [started("c1", "sip-1"), barge_in("c1")];
    let json = events.each_ref().map(|event| serde_json::to_string(event).unwrap());
    let body = format!(": hello\n\ndata: {}\n\ndata: {{\"v\":1}}\n\nid: 7\ndata: {}\n\n", json[0], json[1]);
    let mut node_events = NodeEvents::subscribe(&[node(body).await]).await.unwrap();
    assert_eq!(node_events.next().await.as_ref(), Some(&events[0]));
    assert_eq!(node_events.next().await.as_ref(), Some(&events[1]));
    assert_eq!(node_events.next().await, None);
}

#[tokio::test]
async fn a_node_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = NodeEvents::subscribe(std::slice::from_ref(&url)).await.err().unwrap();
    assert_eq!(error.to_string(), format!("no node at {url}/v1/events"));
}

#[test]
fn a_call_is_told_from_others_by_its_sip_call_id() {
    let mut call = OneCall::new("sip-1");
    assert!(!call.owns(&barge_in("c1")));
    assert!(!call.owns(&started("c2", "sip-2")));
    assert!(call.owns(&started("c1", "sip-1")));
    assert!(call.owns(&barge_in("c1")));
    assert!(!call.owns(&barge_in("c2")));
}
