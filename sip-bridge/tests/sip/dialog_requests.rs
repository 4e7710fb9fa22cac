//! Requests inside a dialog: every one is answered (RFC 3261 12.2.2, 14.2, RFC 3311, RFC 6086).
//! Not here: BYE, which ends calls in every other file.

use crate::bench::*;
use crate::raw_phone::RawPhone;
use crate::talk::talk;
use sip_bridge::{DialogEnd, DialogEvent, Rejection, sdp};

#[tokio::test]
async fn a_reinvite_is_handed_up_and_answered_with_the_same_session_and_a_new_version() {
    for tcp in [false, true] {
        let mut talk = talk(tcp).await;
        talk.ask("INVITE", 2, "", &hold()).await;
        let DialogEvent::Reoffer { offer: Some(offer), reply } = next_event(&mut talk.dialog).await else {
            panic!("no reoffer");
        };
        let mut ours = local(20000);
        ours.bump_version();
        let (agreed, answer) = sdp::answer(&offer, &ours).expect("G.711");
        assert_eq!(agreed.direction, sdp::Direction::RecvOnly);
        reply.accept(answer).await;
        let ok = talk.answer("2 INVITE").await;
        assert_eq!(ok.code(), 200);
        assert!(ok.body().contains("o=tandem 7 2 IN IP4") && ok.body().contains("a=recvonly"), "{}", ok.body());
        talk.phone.ack(2, &talk.tag.clone(), "").await;
        talk.hang_up(3).await;
    }
}

#[tokio::test]
async fn every_way_to_hold_and_resume_is_answered_by_reinvite_and_update() {
    let mut talk = talk(false).await;
    let ways = [
        ("a=sendonly", "127.0.0.1", sdp::Direction::RecvOnly),
        ("a=sendrecv", "127.0.0.1", sdp::Direction::SendRecv),
        ("a=inactive", "127.0.0.1", sdp::Direction::Inactive),
        ("a=recvonly", "127.0.0.1", sdp::Direction::SendOnly),
        ("a=sendrecv", "0.0.0.0", sdp::Direction::RecvOnly),
        ("a=sendrecv", "127.0.0.1", sdp::Direction::SendRecv),
    ];
    let mut ours = local(20000);
    for (round, (direction, address, ours_then)) in (0_u32..).zip(ways) {
        let mut theirs = local(30000);
        theirs.version = u64::from(round) + 2;
        let c = format!("c=IN IP4 {address}");
        let body = sdp::offer(&theirs).replace("a=sendrecv", direction).replace("c=IN IP4 127.0.0.1", &c);
        let method = if round % 2 == 0 { "INVITE" } else { "UPDATE" };
        let cseq = round + 2;
        talk.ask(method, cseq, "", &body).await;
        let DialogEvent::Reoffer { offer: Some(offer), reply } = next_event(&mut talk.dialog).await else {
            panic!("no reoffer");
        };
        ours.bump_version();
        let (agreed, answer) = sdp::answer(&offer, &ours).expect("G.711");
        assert_eq!(agreed.direction, ours_then, "{direction} {address}");
        reply.accept(answer.clone()).await;
        assert_eq!(talk.answer(&format!("{cseq} {method}")).await.body(), answer);
        if method == "INVITE" {
            talk.phone.ack(cseq, &talk.tag.clone(), "").await;
        }
    }
    talk.hang_up(20).await;
}

#[tokio::test]
async fn a_reinvite_without_offer_is_answered_with_ours_and_its_ack_handed_up() {
    let mut talk = talk(false).await;
    talk.ask("INVITE", 2, "", "").await;
    let DialogEvent::Reoffer { offer: None, reply } = next_event(&mut talk.dialog).await else { panic!("no reoffer") };
    reply.accept(sdp::offer(&local(20000))).await;
    let ok = talk.answer("2 INVITE").await;
    let (_, answer) = sdp::answer(ok.body(), &local(30000)).expect("our offer");
    talk.phone.ack(2, &talk.tag.clone(), &answer).await;
    let DialogEvent::Confirmed { answer: Some(got) } = next_event(&mut talk.dialog).await else { panic!("no answer") };
    assert_eq!(got, answer);
    talk.hang_up(3).await;
}

#[tokio::test]
async fn a_reinvite_refused_or_forgotten_by_the_application_leaves_the_call_up() {
    let mut talk = talk(false).await;
    talk.ask("INVITE", 2, "", &hold()).await;
    let DialogEvent::Reoffer { reply, .. } = next_event(&mut talk.dialog).await else { panic!("no reoffer") };
    let none: sdp::SdpError = sdp::answer("v=0\r\nm=audio 9 RTP/AVP 18\r\n", &local(1)).expect_err("G.729");
    reply.reject(Rejection::from(none)).await;
    let refused = talk.answer("2 INVITE").await;
    assert_eq!(refused.code(), 488);
    assert!(refused.header("Warning").is_some_and(|warning| warning.contains("G729")), "{refused:?}");
    talk.phone.ack_refusal(2, "INVITE2", &talk.tag.clone()).await;

    talk.ask("INVITE", 3, "", &hold()).await;
    drop(next_event(&mut talk.dialog).await);
    assert_eq!(talk.answer("3 INVITE").await.code(), 488);
    talk.phone.ack_refusal(3, "INVITE3", &talk.tag.clone()).await;
    talk.hang_up(4).await;
}

#[tokio::test]
async fn a_reinvite_nobody_decides_on_for_100_ms_gets_100() {
    let mut talk = talk(false).await;
    talk.ask("INVITE", 2, "", &hold()).await;
    let DialogEvent::Reoffer { offer: Some(offer), reply } = next_event(&mut talk.dialog).await else {
        panic!("no reoffer")
    };
    let trying = talk.phone.receive().await;
    assert_eq!((trying.code(), trying.header("CSeq")), (100, Some("2 INVITE")));
    let (_, body) = sdp::answer(&offer, &local(20000)).expect("an answer");
    reply.accept(body).await;
    assert_eq!(talk.answer("2 INVITE").await.code(), 200);
    talk.phone.ack(2, &talk.tag.clone(), "").await;
    talk.hang_up(3).await;
}

#[tokio::test]
async fn a_second_reinvite_is_told_to_wait_for_the_first() {
    let mut talk = talk(false).await;
    talk.ask("INVITE", 2, "", &hold()).await;
    let DialogEvent::Reoffer { offer: Some(_), reply } = next_event(&mut talk.dialog).await else {
        panic!("no reoffer");
    };
    talk.ask("INVITE", 3, "", &hold()).await;
    let busy = talk.answer("3 INVITE").await;
    assert_eq!(busy.code(), 500);
    assert!(busy.header("Retry-After").is_some());
    talk.phone.ack_refusal(3, "INVITE3", &talk.tag.clone()).await;
    reply.accept(offer()).await;
    assert_eq!(talk.answer("2 INVITE").await.code(), 200);
    talk.phone.ack(2, &talk.tag.clone(), "").await;
    talk.hang_up(4).await;
}

#[tokio::test]
async fn a_reinvite_whose_200_nobody_acknowledges_ends_the_call() {
    let mut talk = talk(false).await;
    talk.ask("INVITE", 2, "", &hold()).await;
    let DialogEvent::Reoffer { reply, .. } = next_event(&mut talk.dialog).await else { panic!("no reoffer") };
    reply.accept(offer()).await;
    assert!(matches!(next_event(&mut talk.dialog).await, DialogEvent::Ended { cause: DialogEnd::AckTimeout }));
    let bye = talk.phone.receive_request("BYE").await;
    talk.phone.ok(&bye).await;
    nothing_left(&[talk.callee.handle()]).await;
}

#[tokio::test]
async fn a_bye_during_a_reinvite_ends_both() {
    let mut talk = talk(false).await;
    talk.ask("INVITE", 2, "", &hold()).await;
    let event = next_event(&mut talk.dialog).await;
    talk.ask("BYE", 3, "", "").await;
    assert_eq!(talk.answer("2 INVITE").await.code(), 487);
    talk.phone.ack_refusal(2, "INVITE2", &talk.tag.clone()).await;
    drop(event);
    assert!(matches!(next_event(&mut talk.dialog).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
    nothing_left(&[talk.callee.handle()]).await;
}

#[tokio::test]
async fn an_update_with_offer_is_handed_up_and_without_one_answered() {
    let mut talk = talk(false).await;
    talk.ask("UPDATE", 2, "", &hold()).await;
    let DialogEvent::Reoffer { offer: Some(_), reply } = next_event(&mut talk.dialog).await else {
        panic!("no reoffer");
    };
    reply.accept(offer()).await;
    let ok = talk.answer("2 UPDATE").await;
    assert_eq!((ok.code(), ok.body()), (200, offer().as_str()));
    assert!(ok.header("Contact").is_some());
    talk.ask("UPDATE", 3, "", "").await;
    assert_eq!(talk.answer("3 UPDATE").await.code(), 200);
    talk.hang_up(4).await;
}

#[tokio::test]
async fn an_offer_that_changes_nothing_is_answered_without_the_application() {
    let mut talk = talk(false).await;
    let mut answers = Vec::new();
    // The first one is the INVITE's own: a refresh.
    for (cseq, method) in [(2, "INVITE"), (3, "UPDATE")] {
        talk.ask(method, cseq, "", &offer()).await;
        let ok = talk.answer(&format!("{cseq} {method}")).await;
        assert_eq!(ok.code(), 200);
        answers.push(ok.body().to_owned());
        if method == "INVITE" {
            talk.phone.ack(2, &talk.tag.clone(), "").await;
        }
    }
    let first = sdp::answer(&offer(), &local(20000)).expect("G.711").1;
    assert_eq!(answers, [first.clone(), first]);
    talk.hang_up(4).await;
}

#[tokio::test]
async fn info_is_answered_200_and_handed_up() {
    let mut talk = talk(false).await;
    let body = "Signal=5\r\nDuration=160\r\n";
    let text = talk.phone.request("INFO", 2, "info", &talk.tag, "", body);
    let text = text.replace("application/sdp", "application/dtmf-relay");
    talk.phone.send(&text).await;
    assert_eq!(talk.answer("2 INFO").await.code(), 200);
    let DialogEvent::Info { content_type, body: got } = next_event(&mut talk.dialog).await else { panic!("no INFO") };
    assert_eq!((content_type.as_str(), got.as_slice()), ("application/dtmf-relay", body.as_bytes()));
    talk.hang_up(3).await;
}

#[tokio::test]
async fn a_flood_of_info_nobody_reads_is_refused_and_not_stored() {
    let mut talk = talk(false).await;
    let mut refused = 0;
    for cseq in 2..60 {
        talk.ask("INFO", cseq, "", "").await;
        refused += u32::from(talk.answer(&format!("{cseq} INFO")).await.code() == 503);
    }
    assert_eq!(refused, 58 - 32);
    // An offer that finds no room is refused, and stops nothing.
    talk.ask("UPDATE", 60, "", &hold()).await;
    assert_eq!(talk.answer("60 UPDATE").await.code(), 488);
    while matches!(next_event(&mut talk.dialog).await, DialogEvent::Info { .. }) {
        if refused == 57 {
            break;
        }
        refused += 1;
    }
    talk.hang_up(61).await;
}

#[tokio::test]
async fn every_other_request_in_a_dialog_is_answered_by_the_book() {
    let mut talk = talk(false).await;
    let expected = [
        ("OPTIONS", 200),
        ("MESSAGE", 405),
        ("NOTIFY", 489),
        ("REFER", 400),
        ("SUBSCRIBE", 405),
        ("PUBLISH", 405),
        ("REGISTER", 405),
        ("PRACK", 481),
        ("FOO", 501),
    ];
    for (cseq, (method, code)) in (2..).zip(expected) {
        talk.ask(method, cseq, "", "").await;
        let answer = talk.answer(&format!("{cseq} {method}")).await;
        assert_eq!(answer.code(), code, "{method}");
        assert!(answer.header("Allow").is_some_and(|allow| allow.contains("UPDATE")), "{method}");
        assert!(answer.header("User-Agent").is_some(), "{method}");
    }
    talk.ask("INFO", 20, "Require: foo\r\n", "").await;
    assert_eq!(talk.answer("20 INFO").await.header("Unsupported"), Some("foo"));
    talk.ask("OPTIONS", 3, "", "").await;
    assert_eq!(talk.answer("3 OPTIONS").await.code(), 500, "an old CSeq");
    talk.hang_up(21).await;
}

#[tokio::test]
async fn a_late_offer_is_made_in_the_200_and_answered_in_the_ack() {
    for tcp in [false, true] {
        let mut callee = endpoint().await;
        let to = callee.handle().local_addr();
        let mut phone = if tcp { RawPhone::tcp(to).await } else { RawPhone::udp(to).await };
        phone.invite("", "").await;
        let incoming = next_call(&mut callee).await;
        assert!(incoming.offer.is_none());
        let mut dialog = incoming.accept(sdp::offer(&local(20000))).await.expect("accepted");
        let ok = phone.receive_code(200).await;
        let (_, answer) = sdp::answer(ok.body(), &local(30000)).expect("our offer");
        phone.ack(1, &ok.to_tag(), &answer).await;
        let DialogEvent::Confirmed { answer: Some(got) } = next_event(&mut dialog).await else { panic!("no answer") };
        assert_eq!(got, answer);
        drop(dialog);
        let bye = phone.receive_request("BYE").await;
        phone.ok(&bye).await;
        nothing_left(&[callee.handle()]).await;
    }
}
