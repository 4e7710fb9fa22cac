//! Our own re-INVITE, UPDATE and INFO, and offers of both sides that meet (RFC 3261 14.1, RFC 3311, RFC 6086).
//! Not here: requests the other side makes (`dialog_requests`).

use crate::bench::*;
use crate::raw_phone::RawPhone;
use crate::talk::talk;
use sip_bridge::{DialogEnd, DialogEvent, SipError, sdp};

#[tokio::test]
async fn a_reinvite_of_ours_holds_and_resumes_the_call_over_udp_and_tcp() {
    for tcp in [false, true] {
        let (caller, mut callee) = (endpoint().await, endpoint().await);
        let (mut ours, mut theirs) = established(&caller, &mut callee, tcp).await;
        for (offered, answered) in [("sendonly", "recvonly"), ("inactive", "inactive"), ("sendrecv", "sendrecv")] {
            let handle = theirs.handle();
            let offer = sdp::offer(&local(20000)).replace("sendrecv", offered);
            let asking = tokio::spawn(async move { handle.reinvite(offer).await });
            let DialogEvent::Reoffer { offer: Some(offer), reply } = next_event(&mut ours).await else {
                panic!("no reoffer");
            };
            let (_, answer) = sdp::answer(&offer, &local(30000)).expect("G.711");
            reply.accept(answer.clone()).await;
            assert_eq!(soon("the answer", asking).await.expect("no panic"), Ok(answer.clone()));
            assert!(answer.contains(answered), "{answer}");
        }
        soon("BYE", theirs.bye(None)).await.expect("BYE answered");
        assert!(matches!(next_event(&mut theirs).await, DialogEvent::Ended { cause: DialogEnd::LocalBye }));
        nothing_left(&[caller.handle(), callee.handle()]).await;
    }
}

#[tokio::test]
async fn an_update_and_an_info_of_ours_are_answered() {
    for tcp in [false, true] {
        let (caller, mut callee) = (endpoint().await, endpoint().await);
        let (ours, mut theirs) = established(&caller, &mut callee, tcp).await;
        let handle = ours.handle();
        let asking = tokio::spawn(async move { handle.update(hold()).await });
        let DialogEvent::Reoffer { offer: Some(offer), reply } = next_event(&mut theirs).await else {
            panic!("no reoffer");
        };
        assert_eq!(offer, hold());
        reply.accept(answer_text()).await;
        assert_eq!(soon("the answer", asking).await.expect("no panic"), Ok(answer_text()));

        let digit = b"Signal=5\r\nDuration=160\r\n".to_vec();
        soon("INFO", ours.handle().info("application/dtmf-relay", digit.clone())).await.expect("200");
        let DialogEvent::Info { content_type, body } = next_event(&mut theirs).await else { panic!("no INFO") };
        assert_eq!((content_type.as_str(), body), ("application/dtmf-relay", digit));
        soon("BYE", ours.bye(None)).await.expect("BYE answered");
        nothing_left(&[caller.handle(), callee.handle()]).await;
    }
}

fn answer_text() -> String {
    sdp::answer(&hold(), &local(30000)).expect("G.711").1
}

#[tokio::test]
async fn every_200_to_our_reinvite_is_acknowledged_at_the_contact_it_names() {
    let mut talk = talk(false).await;
    let handle = talk.dialog.handle();
    let asking = tokio::spawn(async move { handle.reinvite(hold()).await });
    let invite = talk.phone.receive_request("INVITE").await;
    assert!(invite.header("Contact").is_some() && invite.header("Allow").is_some(), "{invite:?}");
    assert!(invite.body().contains("a=sendonly"), "{}", invite.body());
    for _ in 0..2 {
        talk.reply(&invite, "200 OK", &answer_text()).await;
        let ack = talk.phone.receive_request("ACK").await;
        assert!(ack.start().starts_with(&format!("ACK sip:raw@{} ", talk.phone.local)), "{}", ack.start());
        assert_eq!(ack.header("CSeq").map(|cseq| cseq.replace("ACK", "INVITE")).as_deref(), invite.header("CSeq"));
    }
    assert_eq!(soon("the answer", asking).await.expect("no panic"), Ok(answer_text()));
    talk.hang_up(2).await;
}

#[tokio::test]
async fn offers_of_both_sides_that_meet_are_both_made_in_the_end() {
    let (caller, mut callee) = (endpoint().await, endpoint().await);
    let (ours, theirs) = established(&caller, &mut callee, false).await;
    let mut asking = Vec::new();
    for mut dialog in [ours, theirs] {
        asking.push(tokio::spawn(async move {
            let handle = dialog.handle();
            let asked = tokio::spawn(async move { handle.reinvite(hold()).await });
            // Answers the other side's offer, once.
            loop {
                if let DialogEvent::Reoffer { reply, .. } = next_event(&mut dialog).await {
                    reply.accept(answer_text()).await;
                    break;
                }
            }
            let answer = soon("our own answer", asked).await.expect("no panic");
            (answer, dialog)
        }));
    }
    for task in asking {
        let (answer, dialog) = soon("both offers", task).await.expect("no panic");
        assert_eq!(answer, Ok(answer_text()));
        drop(dialog);
    }
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn after_491_our_offer_is_made_again_and_theirs_meanwhile_gets_491() {
    for method in ["INVITE", "UPDATE"] {
        let mut talk = talk(false).await;
        let handle = talk.dialog.handle();
        let asking = tokio::spawn(async move {
            if method == "INVITE" { handle.reinvite(hold()).await } else { handle.update(hold()).await }
        });
        let first = talk.phone.receive_request(method).await;
        // Ours is under way.
        talk.ask("INVITE", 2, "", &offer()).await;
        assert_eq!(talk.answer("2 INVITE").await.code(), 491);
        talk.phone.ack_refusal(2, "INVITE2", &talk.tag.clone()).await;
        talk.ask("UPDATE", 3, "", &offer()).await;
        assert_eq!(talk.answer("3 UPDATE").await.code(), 491);
        talk.reply(&first, "491 Request Pending", "").await;
        let second = loop {
            let again = talk.phone.receive_request(method).await;
            if again.header("CSeq") != first.header("CSeq") {
                break again;
            }
        };
        assert_eq!(second.body(), first.body());
        talk.reply(&second, "200 OK", &answer_text()).await;
        assert_eq!(soon("the answer", asking).await.expect("no panic"), Ok(answer_text()), "{method}");
        talk.hang_up(4).await;
    }
}

#[tokio::test]
async fn our_offer_waits_for_the_acknowledgement_of_theirs() {
    let mut talk = talk(false).await;
    talk.ask("INVITE", 2, "", &hold()).await;
    let DialogEvent::Reoffer { reply, .. } = next_event(&mut talk.dialog).await else { panic!("no reoffer") };
    let handle = talk.dialog.handle();
    let asking = tokio::spawn(async move { handle.reinvite(hold()).await });
    reply.accept(answer_text()).await;
    assert_eq!(talk.answer("2 INVITE").await.code(), 200);
    // The 200 is repeated, and nothing else comes.
    assert_eq!(talk.phone.receive().await.code(), 200);
    talk.phone.ack(2, &talk.tag.clone(), "").await;
    let invite = talk.phone.receive_request("INVITE").await;
    talk.reply(&invite, "200 OK", &answer_text()).await;
    assert!(soon("the answer", asking).await.expect("no panic").is_ok());
    talk.hang_up(3).await;
}

#[tokio::test]
async fn a_refused_offer_leaves_the_call_as_it_was() {
    let mut talk = talk(false).await;
    let handle = talk.dialog.handle();
    let asking = tokio::spawn(async move { handle.reinvite(hold()).await });
    let invite = talk.phone.receive_request("INVITE").await;
    talk.reply(&invite, "488 Not Acceptable Here", "").await;
    let refused = soon("the refusal", asking).await.expect("no panic");
    assert!(matches!(refused, Err(SipError::Refused { code: 488, .. })), "{refused:?}");
    talk.hang_up(2).await;
}

#[tokio::test]
async fn a_request_answered_481_or_not_at_all_ends_the_call() {
    for (method, status) in [("INVITE", "481 Gone"), ("UPDATE", "481 Gone"), ("INFO", "481 Gone"), ("INVITE", "")] {
        let mut talk = talk(false).await;
        let handle = talk.dialog.handle();
        let asking = tokio::spawn(async move {
            match method {
                "INVITE" => handle.reinvite(hold()).await.map(drop),
                "UPDATE" => handle.update(hold()).await.map(drop),
                _ => handle.info("text/plain", b"hi".to_vec()).await,
            }
        });
        let request = talk.phone.receive_request(method).await;
        if !status.is_empty() {
            talk.reply(&request, status, "").await;
        }
        let DialogEvent::Ended { cause: DialogEnd::Failed(why) } = next_event(&mut talk.dialog).await else {
            panic!("still up");
        };
        assert!(why.contains(method), "{why}");
        let bye = talk.phone.receive_request("BYE").await;
        talk.phone.ok(&bye).await;
        assert!(soon("the failure", asking).await.expect("no panic").is_err());
        nothing_left(&[talk.callee.handle()]).await;
    }
}

#[tokio::test]
async fn a_reinvite_that_is_never_decided_is_cancelled() {
    let mut talk = talk(false).await;
    let handle = talk.dialog.handle();
    let asking = tokio::spawn(async move { handle.reinvite(hold()).await });
    let invite = talk.phone.receive_request("INVITE").await;
    talk.reply(&invite, "100 Trying", "").await;
    let cancel = talk.phone.receive_request("CANCEL").await;
    talk.phone.ok(&cancel).await;
    talk.reply(&invite, "487 Request Terminated", "").await;
    let given_up = soon("the end", asking).await.expect("no panic");
    assert!(matches!(given_up, Err(SipError::Refused { code: 487, .. })), "{given_up:?}");
    talk.hang_up(2).await;
}

#[tokio::test]
async fn a_bye_in_the_middle_of_our_offer_ends_both() {
    let mut talk = talk(false).await;
    let handle = talk.dialog.handle();
    let asking = tokio::spawn(async move { handle.reinvite(hold()).await });
    let invite = talk.phone.receive_request("INVITE").await;
    talk.ask("BYE", 2, "", "").await;
    assert_eq!(talk.answer("2 BYE").await.code(), 200);
    assert!(matches!(next_event(&mut talk.dialog).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
    assert!(matches!(soon("the end", asking).await.expect("no panic"), Err(SipError::Ended(_))));
    talk.reply(&invite, "487 Request Terminated", "").await;
    assert!(talk.dialog.handle().update(hold()).await.is_err(), "the call is over");
    nothing_left(&[talk.callee.handle()]).await;
}

#[tokio::test]
async fn an_offer_waits_for_the_ack_of_the_call_itself() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite("", &offer()).await;
    let incoming = next_call(&mut callee).await;
    let sdp = answer_to(&incoming);
    let dialog = incoming.accept(sdp).await.expect("accepted");
    let handle = dialog.handle();
    let asking = tokio::spawn(async move { handle.reinvite(hold()).await });
    let ok = phone.receive_code(200).await;
    assert_eq!(phone.receive().await.code(), 200, "repeated, and no INVITE before its ACK");
    phone.ack(1, &ok.to_tag(), "").await;
    let invite = phone.receive_request("INVITE").await;
    phone.ok(&invite).await;
    let answer = soon("the answer", asking).await.expect("no panic");
    assert!(matches!(answer, Err(SipError::NoAnswer { .. })), "{answer:?}");
    drop(dialog);
    let bye = phone.receive_request("BYE").await;
    phone.ok(&bye).await;
    nothing_left(&[callee.handle()]).await;
}
