//! Provisional answers: ringing, early media, and those that are acknowledged (RFC 3261 13.3.1.1, RFC 3262).
//! Not here: final answers.

use crate::bench::*;
use crate::raw_phone::{Message, RawPhone};
use sip_bridge::{DialogEvent, Endpoint, IncomingCall, OutgoingCall, Progress, Rejection, SipError, sdp};
use std::time::{Duration, Instant};

const REQUIRED: &str = "Require: 100rel\r\n";
const SUPPORTED: &str = "Supported: timer, 100rel\r\n";

/// A call of a raw phone to an endpoint.
struct Ringing {
    callee: Endpoint,
    phone: RawPhone,
    call: IncomingCall,
}

async fn ringing(extra: &str, body: &str) -> Ringing {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite(extra, body).await;
    let call = next_call(&mut callee).await;
    Ringing { callee, phone, call }
}

fn rseq(response: &Message) -> u32 {
    assert_eq!(response.header("Require"), Some("100rel"), "{response:?}");
    response.header("RSeq").and_then(|rseq| rseq.parse().ok()).expect("a number")
}

impl Ringing {
    async fn prack(&mut self, cseq: u32, tag: &str, rack: &str, body: &str) {
        let extra = format!("RAck: {rack}\r\n");
        let text = self.phone.request("PRACK", cseq, &format!("prack{cseq}"), tag, &extra, body);
        self.phone.send(&text).await;
    }

    /// The answer to a request of the phone's, past repeated answers to the INVITE.
    async fn answer(&mut self, cseq: &str) -> Message {
        loop {
            let message = self.phone.receive().await;
            if message.header("CSeq") == Some(cseq) && message.code() >= 200 {
                return message;
            }
        }
    }

    async fn end(mut self) {
        self.call.reject(Rejection::new(486)).await;
        let refused = self.phone.receive_code(486).await;
        self.phone.ack_refusal(1, "1", &refused.to_tag()).await;
        nothing_left(&[self.callee.handle()]).await;
    }
}

#[tokio::test]
async fn a_caller_who_is_told_nothing_for_100_ms_gets_100() {
    let mut ringing = ringing("Timestamp: 54\r\n", &offer()).await;
    let trying = ringing.phone.receive().await;
    assert_eq!(trying.code(), 100);
    // With what it took to say so (RFC 3261 8.2.6.1).
    let delay = trying.header("Timestamp").and_then(|stamp| stamp.strip_prefix("54 ")?.parse::<f64>().ok());
    assert!(delay.is_some_and(|seconds| seconds >= 0.1), "{trying:?}");
    ringing.call.ring().await.expect("sent");
    assert_eq!(ringing.phone.receive().await.code(), 180);
    ringing.end().await;
}

#[tokio::test]
async fn a_caller_who_is_told_something_at_once_gets_no_100() {
    let asked = Instant::now();
    let mut ringing = ringing("", &offer()).await;
    ringing.call.ring().await.expect("sent");
    let first = ringing.phone.receive().await.code();
    // A machine that stood still meanwhile may have made it late.
    assert!(first == 180 || asked.elapsed() >= Duration::from_millis(100), "{first}");
    ringing.end().await;
}

#[tokio::test]
async fn a_required_180_is_repeated_until_its_prack() {
    let mut ringing = ringing(REQUIRED, &offer()).await;
    ringing.call.ring().await.expect("sent");
    let first = ringing.phone.receive_code(180).await;
    for _ in 0..3 {
        assert_eq!(ringing.phone.receive_code(180).await.0, first.0);
    }
    let rack = format!("{} 1 INVITE", rseq(&first));
    ringing.prack(2, &first.to_tag(), &rack, "").await;
    assert_eq!(ringing.answer("2 PRACK").await.code(), 200);
    // It has been acknowledged, and names nothing any more.
    ringing.prack(3, &first.to_tag(), &rack, "").await;
    assert_eq!(ringing.answer("3 PRACK").await.code(), 481);
    ringing.end().await;
}

#[tokio::test]
async fn the_200_waits_for_the_prack_of_early_media_and_keeps_to_it() {
    let Ringing { callee, mut phone, call } = ringing(SUPPORTED, &offer()).await;
    let early = answer_to(&call);
    assert_eq!(call.progress(early.clone()).await, Ok(None));
    let answering = tokio::spawn(call.accept("v=0\r\ns=another\r\n".to_owned()));
    let progress = phone.receive_code(183).await;
    assert_eq!(progress.body(), early);
    assert_eq!(phone.receive().await.code(), 183, "and no 200");
    let extra = format!("RAck: {} 1 INVITE\r\n", rseq(&progress));
    let prack = phone.request("PRACK", 2, "p", &progress.to_tag(), &extra, "");
    phone.send(&prack).await;
    let (mut acknowledged, mut answered) = (false, false);
    while !acknowledged || !answered {
        let message = phone.receive_code(200).await;
        match message.header("CSeq") {
            Some("2 PRACK") => acknowledged = true,
            Some("1 INVITE") => {
                assert!(acknowledged, "the 200 came before the PRACK's");
                assert_eq!(message.body(), early);
                answered = true;
            }
            other => panic!("{other:?}"),
        }
    }
    phone.ack(1, &progress.to_tag(), "").await;
    let mut dialog = soon("the answer", answering).await.expect("no panic").expect("accepted");
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Confirmed { answer: None }));
    drop(dialog);
    let bye = phone.receive_request("BYE").await;
    phone.ok(&bye).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn callers_are_answered_reliably_where_they_ask_for_it_or_it_matters() {
    let mut plain = ringing("", &offer()).await;
    plain.call.ring().await.expect("sent");
    assert_eq!(plain.phone.receive_code(180).await.header("RSeq"), None);
    let early = answer_to(&plain.call);
    assert_eq!(plain.call.progress(early.clone()).await, Ok(None));
    let progress = plain.phone.receive_code(183).await;
    assert_eq!((progress.header("RSeq"), progress.body()), (None, early.as_str()));
    plain.end().await;

    let mut able = ringing(SUPPORTED, &offer()).await;
    able.call.ring().await.expect("sent");
    assert_eq!(able.phone.receive_code(180).await.header("RSeq"), None);
    able.end().await;
}

#[tokio::test]
async fn a_second_reliable_answer_waits_for_the_first_to_be_acknowledged() {
    let Ringing { callee, mut phone, call } = ringing(REQUIRED, &offer()).await;
    call.ring().await.expect("sent");
    let early = answer_to(&call);
    let progressing = tokio::spawn(async move { (call.progress(early).await, call) });
    let first = phone.receive_code(180).await;
    assert_eq!(phone.receive().await.code(), 180, "and no 183");
    for (cseq, wrong) in
        [(2, "1 INVITE".to_owned()), (3, format!("{} 2 INVITE", rseq(&first))), (4, format!("{} 1 BYE", rseq(&first)))]
    {
        let prack = phone.request("PRACK", cseq, &cseq.to_string(), &first.to_tag(), &format!("RAck: {wrong}\r\n"), "");
        phone.send(&prack).await;
        assert_eq!(phone.receive_code(481).await.header("CSeq"), Some(format!("{cseq} PRACK").as_str()), "{wrong}");
    }
    let extra = format!("RAck: {} 1 INVITE\r\n", rseq(&first));
    let prack = phone.request("PRACK", 5, "5", &first.to_tag(), &extra, "");
    phone.send(&prack).await;
    let second = phone.receive_code(183).await;
    assert_eq!(rseq(&second), rseq(&first) + 1);
    let (sent, call) = soon("progress", progressing).await.expect("no panic");
    assert_eq!(sent, Ok(None));
    // An offer in a PRACK is acknowledged and refused.
    let extra = format!("RAck: {} 1 INVITE\r\n", rseq(&second));
    let prack = phone.request("PRACK", 6, "6", &first.to_tag(), &extra, &hold());
    phone.send(&prack).await;
    assert_eq!(phone.receive_code(488).await.header("CSeq"), Some("6 PRACK"));
    Ringing { callee, phone, call }.end().await;
}

#[tokio::test]
async fn an_answer_nobody_acknowledges_refuses_the_call_after_64_t1() {
    let mut ringing = ringing(REQUIRED, &offer()).await;
    let early = answer_to(&ringing.call);
    assert_eq!(ringing.call.progress(early.clone()).await, Ok(None));
    soon("the end", ringing.call.cancelled()).await;
    let refused = ringing.phone.receive_code(504).await;
    ringing.phone.ack_refusal(1, "1", &refused.to_tag()).await;
    assert!(ringing.call.accept(early).await.is_err(), "a refused call cannot be answered");
    nothing_left(&[ringing.callee.handle()]).await;
}

#[tokio::test]
async fn an_early_offer_of_ours_is_answered_in_the_prack_and_not_made_again() {
    let Ringing { callee, mut phone, call } = ringing(REQUIRED, "").await;
    // A 180 would have to carry the offer.
    call.ring().await.expect("nothing sent");
    let progressing = tokio::spawn(async move { (call.progress(sdp::offer(&local(20000))).await, call) });
    let progress = phone.receive_code(183).await;
    let (_, theirs) = sdp::answer(progress.body(), &local(30000)).expect("our offer");
    let extra = format!("RAck: {} 1 INVITE\r\n", rseq(&progress));
    let prack = phone.request("PRACK", 2, "2", &progress.to_tag(), &extra, &theirs);
    phone.send(&prack).await;
    let (answer, call) = soon("progress", progressing).await.expect("no panic");
    assert_eq!(answer, Ok(Some(theirs)));
    let mut dialog = call.accept("v=0\r\n".to_owned()).await.expect("accepted");
    let ok = loop {
        let message = phone.receive_code(200).await;
        if message.header("CSeq") == Some("1 INVITE") {
            break message;
        }
    };
    assert_eq!(ok.body(), "");
    phone.ack(1, &ok.to_tag(), "").await;
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Confirmed { answer: None }));
    drop(dialog);
    let bye = phone.receive_request("BYE").await;
    phone.ok(&bye).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn nothing_is_offered_early_to_a_caller_without_100rel() {
    let ringing = ringing("", "").await;
    assert_eq!(ringing.call.progress(sdp::offer(&local(20000))).await, Err(SipError::NotReliable));
    ringing.end().await;
}

#[tokio::test]
async fn cancel_ends_a_call_with_an_unacknowledged_answer() {
    let mut ringing = ringing(SUPPORTED, &offer()).await;
    let early = answer_to(&ringing.call);
    assert_eq!(ringing.call.progress(early).await, Ok(None));
    let cancel = ringing.phone.request("CANCEL", 1, "1", "", "", "");
    ringing.phone.send(&cancel).await;
    let terminated = ringing.phone.receive_code(487).await;
    ringing.phone.ack_refusal(1, "1", &terminated.to_tag()).await;
    soon("cancelled", ringing.call.cancelled()).await;
    nothing_left(&[ringing.callee.handle()]).await;
}

// === Calls of ours ===

/// A call of an endpoint to a raw phone, and its INVITE.
async fn calling() -> (Endpoint, RawPhone, OutgoingCall, Message) {
    let caller = endpoint().await;
    let mut phone = RawPhone::udp(caller.handle().local_addr()).await;
    let call = caller.handle().call(target(phone.local, false), offer()).await.expect("sent");
    let invite = phone.receive_request("INVITE").await;
    assert!(invite.header("Supported").is_some_and(|tags| tags.contains("100rel")), "{invite:?}");
    (caller, phone, call, invite)
}

/// A provisional answer of the phone's, reliable with an `rseq`.
async fn progress(phone: &mut RawPhone, invite: &Message, status: &str, tag: &str, rseq: Option<u32>, body: &str) {
    let reliable = rseq.map(|rseq| format!("Require: 100rel\r\nRSeq: {rseq}\r\n")).unwrap_or_default();
    let route = format!("Record-Route: <sip:{};lr>\r\n", phone.local);
    let extra = format!("{reliable}{route}Contact: <sip:{tag}@{}>\r\n", phone.local);
    let text = phone.response(invite, status, &extra, body).replace("tag=far", &format!("tag={tag}"));
    phone.send(&text).await;
}

fn early_media() -> String {
    sdp::answer(&offer(), &local(20000)).expect("G.711").1
}

async fn early(call: &mut OutgoingCall) -> (u16, String) {
    match soon("progress", call.next_progress()).await {
        Progress::Early { code, sdp } => (code, sdp),
        Progress::Ringing(code) => (code, String::new()),
        Progress::Answered { .. } => panic!("answered"),
        Progress::Failed(failure) => panic!("{failure}"),
    }
}

#[tokio::test]
async fn reliable_answers_are_acknowledged_once_each_and_in_order() {
    let (caller, mut phone, mut call, invite) = calling().await;
    progress(&mut phone, &invite, "180 Ringing", "far", Some(7), "").await;
    let prack = phone.receive_request("PRACK").await;
    assert_eq!(prack.header("RAck"), Some("7 1 INVITE"));
    assert_eq!(prack.header("CSeq"), Some("2 PRACK"));
    assert!(prack.start().starts_with(&format!("PRACK sip:far@{} ", phone.local)), "{}", prack.start());
    assert!(prack.header("Route").is_some(), "{prack:?}");
    phone.ok(&prack).await;
    // One too early, one again, then the one whose turn it is.
    progress(&mut phone, &invite, "183 Session Progress", "far", Some(9), &hold()).await;
    progress(&mut phone, &invite, "180 Ringing", "far", Some(7), "").await;
    progress(&mut phone, &invite, "183 Session Progress", "far", Some(8), &early_media()).await;
    let prack = phone.receive_request("PRACK").await;
    assert_eq!((prack.header("RAck"), prack.header("CSeq")), (Some("8 1 INVITE"), Some("3 PRACK")));
    phone.ok(&prack).await;
    assert_eq!(early(&mut call).await, (180, String::new()));
    assert_eq!(early(&mut call).await, (183, early_media()));
    // The description was in the 183.
    progress(&mut phone, &invite, "200 OK", "far", None, "").await;
    let (dialog, answer) = answered(&mut call).await;
    assert_eq!(answer, early_media());
    phone.receive_request("ACK").await;
    drop(dialog);
    let bye = phone.receive_request("BYE").await;
    assert_eq!(bye.header("CSeq"), Some("4 BYE"));
    phone.ok(&bye).await;
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn early_media_without_100rel_is_told_and_the_200_s_description_counts() {
    let (caller, mut phone, mut call, invite) = calling().await;
    progress(&mut phone, &invite, "183 Session Progress", "far", None, &early_media()).await;
    assert_eq!(early(&mut call).await, (183, early_media()));
    let last = hold();
    progress(&mut phone, &invite, "200 OK", "far", None, &last).await;
    let (dialog, answer) = answered(&mut call).await;
    assert_eq!(answer, last);
    let mut next = phone.receive().await;
    assert!(next.start().starts_with("ACK"), "no PRACK: {}", next.start());
    drop(dialog);
    next = phone.receive_request("BYE").await;
    phone.ok(&next).await;
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn every_branch_of_a_forked_call_is_acknowledged_and_the_losers_are_forgotten() {
    let (caller, mut phone, mut call, invite) = calling().await;
    for (tag, rseq) in [("one", 1), ("two", 50)] {
        progress(&mut phone, &invite, "183 Session Progress", tag, Some(rseq), &early_media()).await;
        let prack = phone.receive_request("PRACK").await;
        assert_eq!(prack.header("RAck"), Some(format!("{rseq} 1 INVITE").as_str()));
        assert!(prack.header("To").is_some_and(|to| to.ends_with(tag)), "{prack:?}");
        phone.ok(&prack).await;
    }
    progress(&mut phone, &invite, "200 OK", "two", None, "").await;
    let (dialog, _) = answered(&mut call).await;
    phone.receive_request("ACK").await;
    assert_eq!(caller.handle().open_dialogs(), 1);
    drop(dialog);
    let bye = phone.receive_request("BYE").await;
    assert!(bye.header("To").is_some_and(|to| to.ends_with("two")), "{bye:?}");
    phone.ok(&bye).await;
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn a_refusal_after_a_reliable_answer_leaves_nothing() {
    let (caller, mut phone, mut call, invite) = calling().await;
    progress(&mut phone, &invite, "183 Session Progress", "far", Some(1), &early_media()).await;
    let prack = phone.receive_request("PRACK").await;
    phone.ok(&prack).await;
    let text = phone.response(&invite, "486 Busy Here", "", "");
    phone.send(&text).await;
    assert_eq!(failed(&mut call).await.0, 486);
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn early_media_flows_between_two_endpoints_over_udp_and_tcp() {
    for tcp in [false, true] {
        let (caller, mut callee) = (endpoint().await, endpoint().await);
        let to = callee.handle().local_addr();
        let mut call = caller.handle().call(target(to, tcp), offer()).await.expect("sent");
        let incoming = next_call(&mut callee).await;
        incoming.ring().await.expect("ringing");
        assert_eq!(early(&mut call).await, (180, String::new()));
        let sdp = answer_to(&incoming);
        assert_eq!(incoming.progress(sdp.clone()).await, Ok(None));
        assert_eq!(early(&mut call).await, (183, sdp.clone()));
        let mut theirs = soon("accept", incoming.accept(sdp.clone())).await.expect("accepted");
        let (ours, answer) = answered(&mut call).await;
        assert_eq!(answer, sdp);
        assert!(matches!(next_event(&mut theirs).await, DialogEvent::Confirmed { .. }));
        soon("BYE", ours.bye(None)).await.expect("BYE answered");
        nothing_left(&[caller.handle(), callee.handle()]).await;
    }
}
