//! REFER in both roles: the node hands a caller over and leaves, bridges where that is refused, and follows a caller's own.
//! The caller is bare SIP here; what is heard after a bridge is in `transferred`.

use edge_protocol::{EndCause, EventKind};
use loadtest::caller::{Caller, Phone};
use serde_json::json;
use sip_bridge::{Dialog, DialogEnd, DialogEvent, ReferReply, Rejection, Replaces, TransferProgress};

use crate::api::{SOON, rings};
use crate::bare::BareCaller;
use crate::bench::Bench;
use crate::node::Settings;

async fn hand_over(bench: &Bench, call_id: &str) {
    bench.transfer(call_id, json!({ "to": bench.other_uri, "mode": "blind" })).await;
}

/// The REFER that comes in a dialog: whom it names, in place of which call, and the answer owed to it.
async fn referred(dialog: &mut Dialog) -> (String, Option<Replaces>, ReferReply) {
    let waits = async {
        loop {
            match dialog.next_event().await.expect("the call goes on") {
                DialogEvent::Refer { refer_to, replaces, reply, .. } => return (refer_to, replaces, reply),
                DialogEvent::Ended { cause } => panic!("no REFER: {cause:?}"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(SOON, waits).await.expect("a REFER")
}

#[tokio::test]
async fn a_caller_who_is_handed_over_is_followed_to_the_end_and_left() {
    let mut caller = BareCaller::start(|_| Settings::new()).await;
    let (mut dialog, call_id) = caller.dial().await;
    hand_over(&caller.bench, &call_id).await;
    let (refer_to, _, reply) = referred(&mut dialog).await;
    assert_eq!(refer_to, caller.bench.other_uri);
    let mut reports = reply.accept().await.expect("202");
    reports.notify(180);
    let (_, state) = caller.bench.api.get(&format!("/v1/calls/{call_id}")).await.expect("the call");
    assert_eq!(state["state"], "transferring", "nobody leaves before it is known how it went");
    reports.notify(200);
    let end = tokio::time::timeout(SOON, dialog.next_event()).await.expect("BYE");
    assert!(matches!(end, Some(DialogEvent::Ended { cause: DialogEnd::RemoteBye })), "{end:?}");
    let over = |kind: &EventKind| matches!(kind, EventKind::CallEnded { cause: EndCause::Transferred, .. });
    caller.bench.until("the end", over).await;
}

#[tokio::test]
async fn a_hand_over_that_fails_brings_the_agent_back() {
    let mut caller = BareCaller::start(|_| Settings::new()).await;
    let (mut dialog, call_id) = caller.dial().await;
    hand_over(&caller.bench, &call_id).await;
    let (_, _, reply) = referred(&mut dialog).await;
    reply.accept().await.expect("202").notify(486);
    let failed = |kind: &EventKind| matches!(kind, EventKind::TransferFailed { sip, .. } if sip.code == 486);
    caller.bench.until("the failure", failed).await;
    let sorry = |kind: &EventKind| matches!(kind, EventKind::PromptStarted { text } if text.contains("sorry"));
    caller.bench.until("the apology", sorry).await;
}

#[tokio::test]
async fn where_refer_is_refused_both_are_bridged() {
    let mut caller = BareCaller::start(|_| Settings::new()).await;
    let (mut dialog, call_id) = caller.dial().await;
    hand_over(&caller.bench, &call_id).await;
    let (_, _, reply) = referred(&mut dialog).await;
    reply.reject(Rejection::new(405)).await;
    let other = rings(&mut caller.bench.other).await.expect("it rings").answer().await.expect("picked up");
    let bridged = |kind: &EventKind| matches!(kind, EventKind::Bridged { .. });
    caller.bench.until("the bridge", bridged).await;
    other.hang_up().await;
}

/// An attended transfer through a trunk whose carrier joins calls by itself, up to its REFER: what replaces what, and
/// the answer owed. The other party was spoken with.
async fn offered_to_the_carrier() -> (BareCaller, Dialog, Caller, ReferReply) {
    let trunk = |other: &Phone| {
        vec![
            ("TANDEM_TRUNKS__CARRIER__URI", format!("sip:{}", other.address())),
            ("TANDEM_TRUNKS__CARRIER__REPLACES", "true".to_owned()),
        ]
    };
    let mut caller = BareCaller::start(trunk).await;
    let (mut dialog, call_id) = caller.dial().await;
    let order = json!({ "to": "+15550142", "mode": "attended", "consult": "I have a customer for you." });
    caller.bench.transfer(&call_id, order).await;
    let ringing = rings(&mut caller.bench.other).await.expect("it rings");
    let (uri, sip_call_id) = (ringing.info().request_uri.clone(), ringing.info().sip_call_id.clone());
    let consulted = ringing.answer().await.expect("picked up");
    let (refer_to, replaces, reply) = referred(&mut dialog).await;
    assert_eq!((refer_to, replaces.map(|replaces| replaces.call_id)), (uri, Some(sip_call_id)));
    let consults = |kind: &EventKind| matches!(kind, EventKind::PromptStarted { text } if text.contains("customer"));
    caller.bench.until("the consultation", consults).await;
    (caller, dialog, consulted, reply)
}

#[tokio::test]
async fn a_carrier_that_joins_calls_by_itself_is_handed_both_legs_of_an_attended_transfer() {
    let (mut caller, mut dialog, mut consulted, reply) = offered_to_the_carrier().await;
    reply.accept().await.expect("202").notify(200);
    let end = tokio::time::timeout(SOON, dialog.next_event()).await.expect("BYE");
    assert!(matches!(end, Some(DialogEvent::Ended { cause: DialogEnd::RemoteBye })), "{end:?}");
    assert!(consulted.listen(SOON).await.is_err(), "the other leg is the carrier's too");
    for _ in 0..2 {
        let over = |kind: &EventKind| matches!(kind, EventKind::CallEnded { cause: EndCause::Transferred, .. });
        caller.bench.until("the end of both", over).await;
    }
    caller.bench.node.until_idle(SOON).await.expect("no call holds a place");
}

#[tokio::test]
async fn a_carrier_that_does_not_join_them_after_all_leaves_both_to_be_bridged() {
    let (mut caller, _dialog, consulted, reply) = offered_to_the_carrier().await;
    reply.accept().await.expect("202").notify(501);
    caller.bench.until("the bridge", |kind| matches!(kind, EventKind::Bridged { .. })).await;
    consulted.hang_up().await;
}

#[tokio::test]
async fn a_callers_refer_is_followed_where_it_is_allowed_and_declined_where_not() {
    let mut caller = BareCaller::start(|_| Settings::new()).await;
    let (dialog, _) = caller.dial().await;
    let declined = dialog.handle().refer(&caller.bench.other_uri, None).await.err().expect("603").to_string();
    assert!(declined.contains("603"), "{declined}");

    let mut caller = BareCaller::start(|_| vec![("TANDEM_ACCEPT_REFER", "true".to_owned())]).await;
    let (dialog, _) = caller.dial().await;
    let mut transfer = dialog.handle().refer(&caller.bench.other_uri, None).await.expect("202");
    let mut other = rings(&mut caller.bench.other).await.expect("it rings").answer().await.expect("picked up");
    let reported = async {
        loop {
            match transfer.next_progress().await {
                TransferProgress::Ringing(_) => {}
                last => return last,
            }
        }
    };
    let reported = tokio::time::timeout(SOON, reported).await.expect("a last report");
    assert_eq!(reported, TransferProgress::Succeeded);
    assert!(other.voice_starts(SOON).await.expect("a live call").is_some(), "the agent speaks with them");
    other.hang_up().await;
}
