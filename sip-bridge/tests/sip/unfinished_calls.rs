//! Callers that never acknowledge, cancel at a bad moment, vanish, or hang up early; nothing may be left of them
//! (RFC 3261 13.3.1.4, 9.2, 15). Not here: calls that go well.

use crate::bench::*;
use crate::raw_phone::RawPhone;
use crate::talk::talk;
use sip_bridge::{DialogEnd, DialogEvent, Rejection, sdp};

#[tokio::test]
async fn a_200_is_repeated_until_its_ack() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite("", &offer()).await;
    let incoming = next_call(&mut callee).await;
    let sdp = answer_to(&incoming);
    let mut dialog = incoming.accept(sdp).await.expect("accepted");
    let first = phone.receive_code(200).await;
    for _ in 0..3 {
        assert_eq!(phone.receive_code(200).await.0, first.0);
    }
    phone.ack(1, &first.to_tag(), "").await;
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Confirmed { answer: None }));
    let bye = phone.request("BYE", 2, "2", &first.to_tag(), "", "");
    phone.send(&bye).await;
    phone.receive_code(200).await;
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn a_caller_who_never_acknowledges_gets_a_bye_after_64_t1() {
    for tcp in [false, true] {
        let mut callee = endpoint().await;
        let to = callee.handle().local_addr();
        let mut phone = if tcp { RawPhone::tcp(to).await } else { RawPhone::udp(to).await };
        phone.invite("", &offer()).await;
        let incoming = next_call(&mut callee).await;
        let sdp = answer_to(&incoming);
        let mut dialog = incoming.accept(sdp).await.expect("accepted");
        assert!(matches!(next_event(&mut dialog).await, DialogEvent::Ended { cause: DialogEnd::AckTimeout }));
        let bye = phone.receive_request("BYE").await;
        phone.ok(&bye).await;
        nothing_left(&[callee.handle()]).await;
    }
}

#[tokio::test]
async fn a_bye_of_ours_waits_for_the_ack() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite("", &offer()).await;
    let incoming = next_call(&mut callee).await;
    let sdp = answer_to(&incoming);
    let dialog = incoming.accept(sdp).await.expect("accepted");
    let handle = dialog.handle();
    let hanging_up = tokio::spawn(async move { handle.bye(None).await });
    let ok = phone.receive_code(200).await;
    // Repeated 200s, and no BYE, until the ACK.
    for _ in 0..2 {
        assert_eq!(phone.receive().await.code(), 200);
    }
    phone.ack(1, &ok.to_tag(), "").await;
    let bye = phone.receive_request("BYE").await;
    phone.ok(&bye).await;
    assert!(soon("BYE", hanging_up).await.expect("no panic").is_ok());
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn a_caller_who_vanishes_before_and_after_the_answer_leaves_nothing() {
    for tcp in [false, true] {
        let mut callee = endpoint().await;
        let to = callee.handle().local_addr();
        let mut phone = if tcp { RawPhone::tcp(to).await } else { RawPhone::udp(to).await };
        phone.invite("", &offer()).await;
        let incoming = next_call(&mut callee).await;
        drop(phone);
        let sdp = answer_to(&incoming);
        // Over TCP the 200 may fail to be written; over UDP nobody notices until 64*T1.
        if let Ok(mut dialog) = incoming.accept(sdp).await {
            assert!(matches!(next_event(&mut dialog).await, DialogEvent::Ended { .. }));
        }
        nothing_left(&[callee.handle()]).await;
    }
}

#[tokio::test]
async fn cancel_before_the_answer_is_answered_200_and_the_invite_487() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite("", &offer()).await;
    let incoming = next_call(&mut callee).await;
    let cancel = phone.request("CANCEL", 1, "1", "", "", "");
    phone.send(&cancel).await;
    soon("cancelled", incoming.cancelled()).await;
    let (mut cancelled, mut terminated) = (false, None);
    while !cancelled || terminated.is_none() {
        let message = phone.receive().await;
        match message.code() {
            200 => cancelled = message.header("CSeq") == Some("1 CANCEL"),
            487 => terminated = Some(message.to_tag()),
            _ => {}
        }
    }
    phone.ack_refusal(1, "1", &terminated.unwrap_or_default()).await;
    incoming.reject(Rejection::new(486)).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn cancel_after_the_answer_changes_nothing() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite("", &offer()).await;
    let incoming = next_call(&mut callee).await;
    let sdp = answer_to(&incoming);
    let mut dialog = incoming.accept(sdp).await.expect("accepted");
    let ok = phone.receive_code(200).await;
    let cancel = phone.request("CANCEL", 1, "1", "", "", "");
    phone.send(&cancel).await;
    loop {
        let message = phone.receive().await;
        assert_eq!(message.code(), 200);
        if message.header("CSeq") == Some("1 CANCEL") {
            break;
        }
    }
    phone.ack(1, &ok.to_tag(), "").await;
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Confirmed { .. }));
    let bye = phone.request("BYE", 2, "2", &ok.to_tag(), "", "");
    phone.send(&bye).await;
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn cancel_of_an_unknown_call_is_answered_481() {
    let callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    let cancel = phone.request("CANCEL", 1, "1", "", "", "");
    phone.send(&cancel).await;
    assert_eq!(phone.receive().await.code(), 481);
}

#[tokio::test]
async fn cancel_racing_the_answer_ends_every_time() {
    let (caller, mut callee) = (endpoint().await, endpoint().await);
    let to = callee.handle().local_addr();
    for round in 0..40 {
        let mut call = caller.handle().call(target(to, round % 2 == 0), offer()).await.expect("sent");
        let incoming = next_call(&mut callee).await;
        let sdp = answer_to(&incoming);
        let answering = tokio::spawn(async move {
            if let Ok(mut dialog) = incoming.accept(sdp).await {
                while dialog.next_event().await.is_some() {}
            }
        });
        call.cancel().await;
        // Whoever wins, the caller is told; an answer is hung up by dropping it.
        let _ = soon("progress", call.next_progress()).await;
        drop(call);
        soon("the callee's end", answering).await.expect("no panic");
    }
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn a_bye_without_an_ack_is_that_of_an_answered_call() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite("", &offer()).await;
    let incoming = next_call(&mut callee).await;
    let sdp = answer_to(&incoming);
    let mut dialog = incoming.accept(sdp).await.expect("accepted");
    let ok = phone.receive_code(200).await;
    let bye = phone.request("BYE", 2, "2", &ok.to_tag(), "", "");
    phone.send(&bye).await;
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Confirmed { answer: None }));
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn a_bye_right_behind_its_ack_never_overtakes_it() {
    let mut callee = endpoint().await;
    let to = callee.handle().local_addr();
    for round in 0..40 {
        let late_offer = round % 2 == 0;
        let mut phone = RawPhone::udp(to).await;
        phone.invite("", &if late_offer { String::new() } else { offer() }).await;
        let incoming = next_call(&mut callee).await;
        let sdp = if late_offer { offer() } else { answer_to(&incoming) };
        let mut dialog = incoming.accept(sdp).await.expect("accepted");
        let ok = phone.receive_code(200).await;
        let tag = ok.to_tag();
        let answer = late_offer.then(|| sdp::answer(ok.body(), &local(30000)).expect("our offer").1);
        let bye = phone.request("BYE", 2, "2", &tag, "", "");
        phone.ack(1, &tag, answer.as_deref().unwrap_or_default()).await;
        phone.send(&bye).await;
        let DialogEvent::Confirmed { answer: got } = next_event(&mut dialog).await else { panic!("not confirmed") };
        assert_eq!(got, answer);
        assert!(matches!(next_event(&mut dialog).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
        assert!(dialog.next_event().await.is_none(), "confirmed once");
    }
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn a_bye_on_a_ringing_call_ends_it_like_a_cancel() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite("", &offer()).await;
    let incoming = next_call(&mut callee).await;
    incoming.ring().await.expect("ringing");
    let tag = phone.receive_code(180).await.to_tag();
    let bye = phone.request("BYE", 2, "2", &tag, "", "");
    phone.send(&bye).await;
    soon("cancelled", incoming.cancelled()).await;
    let (mut bye_answered, mut invite_answered) = (false, false);
    while !bye_answered || !invite_answered {
        let message = phone.receive().await;
        bye_answered |= message.code() == 200;
        invite_answered |= message.code() == 487;
    }
    phone.ack_refusal(1, "1", &tag).await;
    drop(incoming);
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn a_refusal_that_nobody_acknowledges_is_forgotten() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite("", &offer()).await;
    next_call(&mut callee).await.reject(Rejection::new(486)).await;
    // Repeated until 64*T1.
    for _ in 0..3 {
        assert_eq!(phone.receive_code(486).await.code(), 486);
    }
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn an_invite_repeated_after_its_ack_is_absorbed_and_is_no_call() {
    let mut talk = talk(false).await;
    for _ in 0..3 {
        talk.phone.invite("", &offer()).await;
    }
    // Whoever sent the ACK has the answer (RFC 6026 7.1): what comes next is that to another request.
    talk.ask("OPTIONS", 2, "", "").await;
    assert_eq!(talk.phone.receive().await.header("CSeq"), Some("2 OPTIONS"));
    assert_eq!(talk.callee.handle().open_dialogs(), 1);
    // A CANCEL that comes as late is answered, and changes nothing.
    let cancel = talk.phone.request("CANCEL", 1, "1", "", "", "");
    talk.phone.send(&cancel).await;
    assert_eq!(talk.answer("1 CANCEL").await.code(), 200);
    talk.hang_up(3).await;
}

#[tokio::test]
async fn a_repeated_invite_is_one_call_and_repeats_the_answer() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    for _ in 0..3 {
        phone.invite("", &offer()).await;
    }
    let incoming = next_call(&mut callee).await;
    incoming.ring().await.expect("ringing");
    phone.receive_code(180).await;
    phone.invite("", &offer()).await;
    phone.receive_code(180).await;
    incoming.reject(Rejection::new(603)).await;
    let refused = phone.receive_code(603).await;
    phone.ack_refusal(1, "1", &refused.to_tag()).await;
    nothing_left(&[callee.handle()]).await;
    assert_eq!(callee.handle().open_dialogs(), 0);
}
