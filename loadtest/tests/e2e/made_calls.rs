//! Calls the node makes: not taken for every kind of reason, taken and spoken in, given up; and what the API refuses.
//! What a call is transferred to is in `transferred`.

use std::time::Duration;

use edge_protocol::{CallEvent, Direction, EndCause, EventKind, SipStatus};
use loadtest::caller::Phone;
use serde_json::json;
use tempfile::TempDir;

use crate::api::{Api, SOON, rings};
use crate::bench::Bench;
use crate::events::Events;
use crate::node::{Node, Settings};

async fn ended(events: &mut Events, call_id: &str) -> (EndCause, Option<SipStatus>) {
    loop {
        let is_end = |kind: &EventKind| matches!(kind, EventKind::CallEnded { .. });
        let CallEvent { call_id: whose, kind, .. } = events.until("the end", SOON, is_end).await.expect("it ends");
        if let EventKind::CallEnded { cause, sip, .. } = kind
            && whose == call_id
        {
            return (cause, sip);
        }
    }
}

#[tokio::test]
async fn a_call_that_is_not_taken_ends_with_the_reason() {
    let mut bench = Bench::start(|_| Settings::new()).await;
    let Bench { node, events, api, other: phone, other_uri: uri, .. } = &mut bench;
    for (code, cause) in [(486, EndCause::Busy), (403, EndCause::Rejected), (404, EndCause::Unreachable)] {
        let call_id = api.place(uri, json!({})).await.expect("a call");
        rings(phone).await.expect("it rings").refuse(code).await;
        let (ended_because, sip) = ended(events, &call_id).await;
        assert_eq!((ended_because, sip.map(|sip| sip.code)), (cause, Some(code)));
    }
    let started = events.seen.iter().find_map(|event| match &event.kind {
        EventKind::CallStarted { direction, to, sip_call_id, .. } => {
            Some((*direction, to.clone(), sip_call_id.clone()))
        }
        _ => None,
    });
    let (direction, to, sip_call_id) = started.expect("a call that is not taken is on record");
    assert_eq!((direction, to), (Direction::Outbound, uri.clone()));
    assert!(!sip_call_id.is_empty());
    node.until_idle(SOON).await.expect("no call holds a place");
}

#[tokio::test]
async fn a_call_nobody_answers_is_given_up_and_so_is_one_that_is_not_wanted_any_more() {
    let mut bench = Bench::start(|_| Settings::new()).await;
    let Bench { node, events, api, other: phone, other_uri: uri, .. } = &mut bench;

    let call_id = api.place(uri, json!({ "ring_timeout_s": 1 })).await.expect("a call");
    let ringing = rings(phone).await.expect("it rings");
    ringing.ring().await.expect("180");
    tokio::time::timeout(SOON, ringing.cancelled()).await.expect("CANCEL comes");
    let (cause, sip) = ended(events, &call_id).await;
    assert_eq!((cause, sip.map(|sip| sip.code)), (EndCause::NoAnswer, Some(408)));
    assert!(events.seen.iter().any(|event| event.kind == EventKind::Ringing { code: 180 }));

    let call_id = api.place(uri, json!({})).await.expect("a call");
    let ringing = rings(phone).await.expect("it rings");
    ringing.ring().await.expect("180");
    events.until("180", SOON, |kind| matches!(kind, EventKind::Ringing { .. })).await.expect("it is told");
    let (_, state) = api.get(&format!("/v1/calls/{call_id}")).await.expect("the call");
    assert_eq!((&state["state"], &state["direction"]), (&json!("ringing"), &json!("outbound")));
    assert_eq!(api.post(&format!("/v1/calls/{call_id}/hangup"), &json!({})).await.expect("an answer").0, 202);
    tokio::time::timeout(SOON, ringing.cancelled()).await.expect("CANCEL comes");
    assert_eq!(ended(events, &call_id).await.0, EndCause::EndedByApi);
    node.until_idle(SOON).await.expect("no call holds a place");
}

#[tokio::test]
async fn a_call_that_is_answered_is_greeted_and_told_things_and_ended() {
    let mut bench = Bench::start(|_| Settings::new()).await;
    let Bench { node, events, api, other: phone, other_uri: uri, .. } = &mut bench;
    let call_id = api.place(uri, json!({ "headers": { "X-Order": "12" } })).await.expect("a call");
    let ringing = rings(phone).await.expect("it rings");
    assert!(ringing.info().headers.contains(&("X-Order".to_owned(), "12".to_owned())));
    let mut callee = ringing.answer().await.expect("picked up");
    events
        .until("the greeting", SOON, |kind| matches!(kind, EventKind::PromptStarted { .. }))
        .await
        .expect("it greets");
    let answered = events.seen.iter().position(|event| event.kind == EventKind::Answered).expect("answered");
    let spoke = events.seen.iter().position(|event| matches!(event.kind, EventKind::PromptStarted { .. }));
    assert!(spoke > Some(answered), "the agent speaks once it is answered, not before");
    assert!(callee.voice_starts(SOON).await.expect("a live call").is_some(), "the greeting is heard");

    let text = "Your taxi is here.";
    let told = api.post(&format!("/v1/calls/{call_id}/say"), &json!({ "text": text })).await.expect("an answer");
    assert_eq!(told.0, 202, "{}", told.1);
    let says = |kind: &EventKind| *kind == EventKind::PromptStarted { text: text.to_owned() };
    events.until("the sentence", SOON, says).await.expect("it is said");
    let knows = json!({ "text": "The taxi is yellow." });
    assert_eq!(api.post(&format!("/v1/calls/{call_id}/instructions"), &knows).await.expect("an answer").0, 202);
    let told = |kind: &EventKind| matches!(kind, EventKind::InstructionsAdded { .. });
    events.until("the instructions", SOON, told).await.expect("they are on record");

    let press = |digits: &str| json!({ "digits": digits });
    let path = format!("/v1/calls/{call_id}/dtmf");
    assert_eq!(api.post(&path, &press("12#")).await.expect("an answer").0, 202);
    assert_eq!(api.post(&path, &press("12x")).await.expect("an answer").0, 422);
    for (order, on_hold) in [("hold", true), ("resume", false)] {
        let (path, nothing) = (format!("/v1/calls/{call_id}/{order}"), json!({}));
        let (posted, heard) = tokio::join!(
            api.post(&path, &nothing),
            // The phone answers re-INVITEs while it listens.
            callee.listen(Duration::from_secs(2)),
        );
        assert_eq!(posted.expect("an answer").0, 202, "{order}");
        heard.expect("a live call");
        let changed =
            |kind: &EventKind| matches!(kind, EventKind::MediaChanged { on_hold: held, .. } if *held == on_hold);
        events.until(order, SOON, changed).await.expect("it is on record");
    }
    assert_eq!(api.post(&format!("/v1/calls/{call_id}/resume"), &json!({})).await.expect("an answer").0, 409);

    assert_eq!(api.post(&format!("/v1/calls/{call_id}/hangup"), &json!({})).await.expect("an answer").0, 202);
    assert_eq!(ended(events, &call_id).await, (EndCause::EndedByApi, None));
    assert!(callee.listen(SOON).await.is_err(), "the phone is hung up");
    node.until_idle(SOON).await.expect("no call holds a place");
}

#[tokio::test]
async fn a_trunk_takes_numbers_and_no_more_calls_than_it_may() {
    let trunk = |phone: &Phone| {
        vec![
            ("TANDEM_TRUNKS__CARRIER__URI", format!("sip:{}", phone.address())),
            ("TANDEM_TRUNKS__CARRIER__FROM", "\"+15550100\"".to_owned()),
            ("TANDEM_TRUNKS__CARRIER__MAX_CALLS", "1".to_owned()),
        ]
    };
    let mut bench = Bench::start(trunk).await;
    let Bench { node, events, api, other: phone, .. } = &mut bench;
    let host = phone.address();
    let call_id = api.place("+1 555 0142", json!({})).await.expect("a call");
    let ringing = rings(phone).await.expect("it rings");
    assert_eq!(ringing.info().request_uri, format!("sip:+15550142@{host}"));
    assert_eq!(ringing.info().from, format!("sip:+15550100@{host}"));
    let (status, refused) = api.post("/v1/calls", &json!({ "to": "+15550143" })).await.expect("an answer");
    assert_eq!((status, &refused["error"]["code"]), (503, &json!("unavailable")), "{refused}");
    ringing.refuse(486).await;
    assert_eq!(ended(events, &call_id).await.0, EndCause::Busy);
    node.until_idle(SOON).await.expect("no call holds a place");
    let again = api.place("+15550143", json!({})).await;
    assert!(again.is_ok(), "the place is free again: {again:?}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_what_is_wrong_about_it() {
    let Bench { api, node: _node, .. } = Bench::start(|_| Settings::new()).await;
    let cases = [
        ("/v1/calls", json!({ "to": "" }), 422, "bad_destination"),
        ("/v1/calls", json!({ "to": "+15550142" }), 422, "bad_destination"),
        ("/v1/calls", json!({ "to": "sip:a@127.0.0.1", "trunk": "none" }), 422, "bad_destination"),
        ("/v1/calls", json!({ "to": "sip:a@127.0.0.1", "agent": "nobody" }), 422, "bad_value"),
        ("/v1/calls", json!({ "to": "sip:a@127.0.0.1", "ring_timeout_s": 0 }), 422, "bad_value"),
        ("/v1/calls", json!({ "to": "sip:a@127.0.0.1", "colour": 1 }), 422, "bad_request"),
        ("/v1/calls/nobody/hangup", json!({}), 404, "no_such_call"),
        ("/v1/calls/nobody/say", json!({ "text": "x" }), 404, "no_such_call"),
        ("/v1/calls/nobody/say", json!({ "text": " " }), 422, "bad_value"),
        ("/v1/calls/nobody/unbridge", json!({}), 404, "no_such_call"),
        ("/v1/calls/nobody/transfer", json!({ "to": "sip:a@b", "mode": "bridge" }), 404, "no_such_call"),
        ("/v1/calls/nobody/transfer", json!({ "to": "sip:a@b", "mode": "fling" }), 422, "bad_request"),
    ];
    for (path, body, status, code) in cases {
        let (answered, problem) = api.post(path, &body).await.expect("an answer");
        assert_eq!((answered, &problem["error"]["code"]), (status, &json!(code)), "{path} {body}: {problem}");
        assert!(problem["error"]["message"].as_str().is_some_and(|message| message.len() > 5), "{problem}");
    }
    assert_eq!(api.get("/v1/calls/nobody").await.expect("an answer").0, 404);
}

#[tokio::test]
async fn with_a_token_nobody_asks_without_it() {
    // Its events, which a bench listens to, are not open either.
    let dir = TempDir::new().expect("a directory");
    let token = vec![("TANDEM_API_TOKEN", "letmein".to_owned())];
    let node = Node::start("node-1", dir.path(), token).await.expect("a node");
    let api = Api::of(&node).expect("its API");
    let body = json!({ "to": "" });
    for (token, status) in [(None, 401), (Some("letmeout"), 401), (Some("letmein2"), 401), (Some("letmein"), 422)] {
        assert_eq!(api.post_as(token, "/v1/calls", &body).await.expect("an answer").0, status, "{token:?}");
    }
    assert_eq!(api.get("/v1/calls").await.expect("an answer").0, 401);
    assert_eq!(api.get("/health").await.expect("an answer").0, 200);
}
