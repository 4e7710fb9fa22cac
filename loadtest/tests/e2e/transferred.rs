//! Calls given to somebody else: spoken with first and bridged, not to be had, put straight through, parted again.
//! Every party is a phone with its own SIP and RTP; what one says, the other must hear.

use std::time::Duration;

use edge_protocol::{EndCause, EventKind};
use loadtest::caller::{Caller, Target};
use loadtest::measure::alignment::{Comparison, compare};
use loadtest::voice::Utterance;
use serde_json::json;

use crate::api::{SOON, rings, straight_to};
use crate::bench::Bench;
use crate::node::Settings;

/// Waits until nothing is said, so that what is heard next is what is said next.
async fn hush(call: &mut Caller) {
    call.finishes(Duration::from_millis(600), SOON).await.expect("a live call");
}

/// Both say something, one after the other; each must hear the other.
async fn talk(one: &mut Caller, other: &mut Caller) {
    let utterance = Utterance::spoken("can you hear me now", "rms").await.expect("a voice");
    for turn in 0..2 {
        let (speaks, hears) = if turn == 0 { (&mut *one, &mut *other) } else { (&mut *other, &mut *one) };
        let (said, heard) = tokio::join!(speaks.say(&utterance), hears.voice_starts(SOON));
        said.expect("a live call");
        assert!(heard.expect("a live call").is_some(), "turn {turn} is not heard");
        hush(hears).await;
    }
}

/// What a party heard holds the utterance, as a whole and undistorted.
fn heard_whole(heard: &[i16], utterance: &Utterance, who: &str) {
    let Comparison { correlation, .. } = compare(heard, utterance.samples()).expect("something was heard");
    assert!(correlation > 0.9, "{who} heard it with a correlation of {correlation}");
}

#[tokio::test]
async fn an_attended_transfer_lets_both_hear_each_other_and_ends_for_both() {
    let mut bench = Bench::start(|_| Settings::new()).await;
    let (mut call, call_id) = bench.dial().await;
    let order = json!({
        "to": bench.other_uri, "mode": "attended", "announce": "One moment please.",
        "consult": "I have a customer for you.",
    });
    bench.transfer(&call_id, order).await;
    bench
        .until("the announcement", |kind| matches!(kind, EventKind::PromptStarted { text } if text.contains("moment")))
        .await;
    let mut other = rings(&mut bench.other).await.expect("it rings").answer().await.expect("picked up");
    bench
        .until(
            "the consultation",
            |kind| matches!(kind, EventKind::PromptStarted { text } if text.contains("customer")),
        )
        .await;
    assert!(other.voice_starts(SOON).await.expect("a live call").is_some(), "the agent speaks with the other party");
    bench.until("the bridge", |kind| matches!(kind, EventKind::Bridged { .. })).await;
    hush(&mut call).await;
    hush(&mut other).await;
    talk(&mut call, &mut other).await;

    let (_, state) = bench.api.get(&format!("/v1/calls/{call_id}")).await.expect("the call");
    assert_eq!(state["state"], "bridged");
    let say = json!({ "text": "x" });
    let (status, problem) = bench.api.post(&format!("/v1/calls/{call_id}/say"), &say).await.expect("an answer");
    assert_eq!((status, &problem["error"]["code"]), (409, &json!("wrong_state")));

    let utterance = Utterance::spoken("can you hear me now", "rms").await.expect("a voice");
    let heard = other.hang_up().await.expect("what it heard");
    heard_whole(&heard.heard, &utterance, "the other party");
    assert!(call.listen(SOON).await.is_err(), "the caller is hung up too");
    let ended = |kind: &EventKind| matches!(kind, EventKind::CallEnded { cause: EndCause::PeerHungUp, .. });
    bench.until("the caller's end", ended).await;
    heard_whole(&call.hang_up().await.expect("what it heard").heard, &utterance, "the caller");
    bench.node.until_idle(SOON).await.expect("no call holds a place");
}

#[tokio::test]
async fn a_caller_whose_audio_is_encrypted_hears_one_whose_is_not_and_is_heard() {
    let mut bench = Bench::start(|_| Settings::new()).await;
    let target = Target { srtp: true, ..straight_to(&bench.node, "agent") };
    let (mut call, call_id) = bench.dial_as(&target).await;
    bench.transfer(&call_id, json!({ "to": bench.other_uri, "mode": "bridge" })).await;
    let mut other = rings(&mut bench.other).await.expect("it rings").answer().await.expect("picked up");
    bench.until("the bridge", |kind| matches!(kind, EventKind::Bridged { .. })).await;
    hush(&mut call).await;
    hush(&mut other).await;
    talk(&mut call, &mut other).await;
    let utterance = Utterance::spoken("can you hear me now", "rms").await.expect("a voice");
    heard_whole(&other.hang_up().await.expect("what it heard").heard, &utterance, "the one in the clear");
    heard_whole(&call.hang_up().await.expect("what it heard").heard, &utterance, "the encrypted one");
    let ended = |kind: &EventKind| matches!(kind, EventKind::CallEnded { .. });
    for _ in 0..2 {
        let EventKind::CallEnded { quality, .. } = bench.until("the end", ended).await else { unreachable!() };
        assert_eq!(quality.packets_unauthentic, 0, "{quality:?}");
    }
}

#[tokio::test]
async fn a_caller_who_waits_hears_it_ring() {
    let mut bench = Bench::start(|_| vec![("TANDEM_RINGBACK", "uk".to_owned())]).await;
    let (mut call, call_id) = bench.dial().await;
    hush(&mut call).await;
    bench.transfer(&call_id, json!({ "to": bench.other_uri, "mode": "bridge" })).await;
    let ringing = rings(&mut bench.other).await.expect("it rings");
    ringing.ring().await.expect("180");
    assert!(call.voice_starts(SOON).await.expect("a live call").is_some(), "the caller hears it ring");
    let other = ringing.answer().await.expect("picked up");
    bench.until("the bridge", |kind| matches!(kind, EventKind::Bridged { .. })).await;
    hush(&mut call).await;
    other.hang_up().await;
    bench.node.until_idle(SOON).await.expect("no call holds a place");
}

#[tokio::test]
async fn a_transfer_to_somebody_busy_brings_the_agent_back_who_says_so() {
    let mut bench = Bench::start(|_| Settings::new()).await;
    let (call, call_id) = bench.dial().await;
    bench.transfer(&call_id, json!({ "to": bench.other_uri, "mode": "bridge" })).await;
    rings(&mut bench.other).await.expect("it rings").refuse(486).await;
    let failed = bench.until("the failure", |kind| matches!(kind, EventKind::TransferFailed { .. })).await;
    let EventKind::TransferFailed { sip, .. } = failed else { unreachable!() };
    assert_eq!(sip.code, 486);
    bench
        .until("the apology", |kind| matches!(kind, EventKind::PromptStarted { text } if text.contains("sorry")))
        .await;
    let (_, state) = bench.api.get(&format!("/v1/calls/{call_id}")).await.expect("the call");
    assert_eq!(state["state"], "talking");
    call.hang_up().await;
    bench.node.until_idle(SOON).await.expect("no call holds a place");
}

#[tokio::test]
async fn a_caller_who_gives_up_during_a_transfer_takes_the_other_party_along() {
    let mut bench = Bench::start(|_| Settings::new()).await;
    let (call, call_id) = bench.dial().await;
    bench.transfer(&call_id, json!({ "to": bench.other_uri, "mode": "bridge" })).await;
    let ringing = rings(&mut bench.other).await.expect("it rings");
    ringing.ring().await.expect("180");
    call.hang_up().await;
    tokio::time::timeout(SOON, ringing.cancelled()).await.expect("CANCEL comes");
    bench.node.until_idle(SOON).await.expect("no call holds a place");
}

#[tokio::test]
async fn who_is_left_after_a_transfer_may_get_the_agent_back() {
    let mut bench = Bench::start(|_| Settings::new()).await;
    let (mut call, call_id) = bench.dial().await;
    bench.transfer(&call_id, json!({ "to": bench.other_uri, "mode": "bridge", "after": "agent" })).await;
    let other = rings(&mut bench.other).await.expect("it rings").answer().await.expect("picked up");
    bench.until("the bridge", |kind| matches!(kind, EventKind::Bridged { .. })).await;
    other.hang_up().await;
    bench.until("the parting", |kind| matches!(kind, EventKind::Unbridged { .. })).await;
    hush(&mut call).await;
    let question = Utterance::spoken("what are your opening hours", "rms").await.expect("a voice");
    call.say(&question).await.expect("a live call");
    bench.until("an answer", |kind| matches!(kind, EventKind::AnswerStarted { .. })).await;
    call.hang_up().await;
    bench.node.until_idle(SOON).await.expect("no call holds a place");
}

#[tokio::test]
async fn a_routed_number_is_put_straight_through() {
    let mut bench = Bench::start(|other| {
        let route = format!("[{{ number = \"100\", to = \"sip:bob@{}\" }}]", other.address());
        vec![("TANDEM_ROUTES", route)]
    })
    .await;
    let target = straight_to(&bench.node, "100");
    let (mut call, mut other) = {
        let dials = bench.caller.dial(&target);
        let picks_up = async {
            let ringing = rings(&mut bench.other).await.expect("it rings");
            assert!(ringing.info().headers.contains(&("X-Campaign".to_owned(), "spring".to_owned())));
            assert!(ringing.info().from.starts_with("sip:+15550123@"), "{}", ringing.info().from);
            ringing.ring().await.expect("180");
            ringing.answer().await.expect("picked up")
        };
        let (call, other) = tokio::join!(dials, picks_up);
        (call.expect("a call"), other)
    };
    bench.until("the bridge", |kind| matches!(kind, EventKind::Bridged { .. })).await;
    talk(&mut call, &mut other).await;
    call.hang_up().await;
    assert!(other.listen(SOON).await.is_err(), "the other party is hung up too");
    let prompts = bench.events.seen.iter().filter(|event| matches!(event.kind, EventKind::PromptStarted { .. }));
    assert_eq!(prompts.count(), 0, "no agent says anything");
    bench.node.until_idle(SOON).await.expect("no call holds a place");
    assert_eq!(bench.node.recordings(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_routed_number_that_is_busy_is_busy_for_the_caller() {
    let mut bench = Bench::start(|other| {
        vec![("TANDEM_ROUTES", format!("[{{ number = \"*\", to = \"sip:bob@{}\" }}]", other.address()))]
    })
    .await;
    let target = straight_to(&bench.node, "anything");
    let dials = bench.caller.dial(&target);
    let refuses = async { rings(&mut bench.other).await.expect("it rings").refuse(486).await };
    let (dialled, ()) = tokio::join!(dials, refuses);
    let refusal = dialled.err().expect("nobody to talk with").to_string();
    assert!(refusal.contains("486"), "{refusal}");
    bench.node.until_idle(SOON).await.expect("no call holds a place");
}
