//! A caller over the socket is given to somebody else by their client, if it said that it does so.

use edge_protocol::{EndCause, EventKind, TransferMode};
use serde_json::{Value, json};

use super::Served;
use crate::api::{Api, SOON};
use crate::node::Settings;
use crate::socket::{Client, SPEECH};

/// An agent whose model puts everybody through to its sales people.
async fn eager_to_transfer() -> Served {
    let arguments = json!({ "to": "sales", "reason": "A new order." }).to_string();
    let model = ["--reply", "Yes.", "--tool", "transfer", "--tool-arguments", &arguments];
    Served::by(&model, "transfer_to = { sales = \"+15550142\" }", Settings::new()).await.expect("a node")
}

async fn dial(served: &Served, transfers: bool) -> (Client, String) {
    let mut client = Client::connect(served.node.http, &[]).await.expect("a socket").expect("an upgrade");
    client.send(&json!({"type": "start", "v": 1, "call_id": null, "from": "alice", "to": "", "transfers": transfers}));
    let started = client.until("started").await.expect("a call");
    (client, started["call_id"].as_str().expect("an id").to_owned())
}

#[tokio::test]
async fn a_model_that_transfers_has_the_client_do_it() {
    let served = eager_to_transfer().await;
    let mut events = served.node.events().await.expect("its events");
    let (mut client, _) = dial(&served, true).await;
    client.say(SPEECH);
    let told = client.until("transfer").await.expect("the transfer");
    assert_eq!(told, json!({"type": "transfer", "to": "+15550142", "reason": "A new order."}));
    assert_eq!(client.until("ended").await.expect("the end"), json!({"type": "ended", "cause": "transferred"}));
    assert_eq!(client.closed().await.expect("closed"), Some(1000));

    let over = |kind: &EventKind| matches!(kind, EventKind::CallEnded { cause: EndCause::Transferred, .. });
    events.until("the end of the call", SOON, over).await.expect("the call ends");
    let started = EventKind::TransferStarted { to: "+15550142".to_owned(), mode: TransferMode::Blind };
    assert!(events.seen.iter().any(|event| event.kind == started));
    served.node.until_idle(SOON).await.expect("no call holds a place");
}

#[tokio::test]
async fn a_client_that_transfers_nobody_is_not_asked_to() {
    let served = eager_to_transfer().await;
    let api = Api::of(&served.node).expect("a client");
    let (mut client, id) = dial(&served, false).await;
    client.say(SPEECH);
    client.until_one("the answer", |message| message["text"] == "Yes.").await.expect("the model has no such tool");
    let refused = transfer(&api, &id, json!({ "to": "+15550142", "mode": "blind" })).await;
    assert_eq!((refused.0, &refused.1["error"]["code"]), (409, &json!("not_possible")));
}

#[tokio::test]
async fn who_is_ordered_away_hears_about_it_first() {
    let served = Served::start("", "Yes.", Settings::new()).await.expect("a node");
    let mut events = served.node.events().await.expect("its events");
    let api = Api::of(&served.node).expect("a client");
    let (mut client, id) = dial(&served, true).await;
    for (order, status, code) in [
        (json!({ "to": "+15550142", "mode": "attended" }), 409, "not_possible"),
        (json!({ "to": "+15550142", "mode": "blind", "trunk": "carrier" }), 409, "not_possible"),
        (json!({ "to": "+15550142", "mode": "blind", "after": "agent" }), 409, "not_possible"),
        (json!({ "to": "over there", "mode": "blind" }), 422, "bad_destination"),
    ] {
        let refused = transfer(&api, &id, order).await;
        assert_eq!((refused.0, &refused.1["error"]["code"]), (status, &json!(code)));
    }
    // What is being said is replaced, and its end is not that of the announcement.
    let say = json!({ "text": "A sentence that is said in two seconds or more." });
    assert_eq!(api.post(&format!("/v1/calls/{id}/say"), &say).await.expect("an answer").0, 202);
    client.until_one("the first sentence", |message| message["text"] == say["text"]).await.expect("it is said");
    client.until("audio").await.expect("its audio");
    let order = json!({ "to": " tel:+1-555-0142", "mode": "blind", "announce": "One moment." });
    assert_eq!(transfer(&api, &id, order.clone()).await.0, 202);
    let again = transfer(&api, &id, order).await;
    assert_eq!((again.0, &again.1["error"]["code"]), (409, &json!("wrong_state")));
    let started = |kind: &EventKind| matches!(kind, EventKind::TransferStarted { .. });
    events.until("the transfer's beginning", SOON, started).await.expect("it is told at once");
    let talked_into = api.post(&format!("/v1/calls/{id}/say"), &say).await.expect("an answer");
    assert_eq!((talked_into.0, &talked_into.1["error"]["code"]), (409, &json!("wrong_state")));
    client.until_one("the sentence", |message| message["text"] == "One moment.").await.expect("it is said");
    let said = client.log.len();
    assert_eq!(client.until("transfer").await.expect("the transfer"), json!({"type": "transfer", "to": "+15550142"}));
    // 11 letters of 60 ms, in frames of 20 ms.
    assert!(client.audio(said).len() >= 33, "{} frames of the sentence", client.audio(said).len());
    client.until("ended").await.expect("the end");
}

async fn transfer(api: &Api, id: &str, order: Value) -> (u16, Value) {
    api.post(&format!("/v1/calls/{id}/transfer"), &order).await.expect("an answer")
}
