//! Sessions that are refreshed, and those that are given up (RFC 4028), with timers of a second or two.
//! Not here: what is agreed on in which case (`src/session_timer/tests.rs`).

use crate::bench::*;
use crate::raw_phone::{Message, RawPhone};
use sip_bridge::{DialogEnd, DialogEvent, Endpoint, SessionTimers, sdp};
use std::time::Duration;

const ALLOW: &str = "Allow: INVITE, ACK, BYE, UPDATE\r\n";

async fn quick(expires: u64) -> Endpoint {
    let session_timers = SessionTimers {
        expires: Duration::from_secs(expires),
        min_se: Duration::from_secs(expires.min(2)),
        ..SessionTimers::default()
    };
    let config = sip_bridge::EndpointConfig { session_timers, ..config() };
    Endpoint::bind(config).await.expect("a free port")
}

/// A call of a raw phone to an endpoint, answered; the 200 with its To tag.
async fn called(callee: &mut Endpoint, extra: &str) -> (RawPhone, sip_bridge::Dialog, Message) {
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite(extra, &offer()).await;
    let incoming = next_call(callee).await;
    let sdp = answer_to(&incoming);
    let mut dialog = incoming.accept(sdp).await.expect("accepted");
    let ok = phone.receive_code(200).await;
    phone.ack(1, &ok.to_tag(), "").await;
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Confirmed { .. }));
    (phone, dialog, ok)
}

#[tokio::test]
async fn a_session_nobody_refreshes_is_given_up_before_it_expires() {
    let mut callee = quick(1800).await;
    let extra = "Supported: timer\r\nSession-Expires: 2;refresher=uac\r\n";
    let (mut phone, mut dialog, ok) = called(&mut callee, extra).await;
    assert_eq!(ok.header("Session-Expires"), Some("2;refresher=uac"));
    assert_eq!(ok.header("Require"), Some("timer"));
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Ended { cause: DialogEnd::SessionExpired }));
    let bye = phone.receive_request("BYE").await;
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("session expired")), "{bye:?}");
    phone.ok(&bye).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn their_refreshes_keep_a_session_and_the_application_hears_nothing_of_them() {
    let mut callee = quick(1800).await;
    let (mut phone, mut dialog, ok) = called(&mut callee, "Supported: timer\r\nSession-Expires: 4\r\n").await;
    let refresh = "Supported: timer\r\nSession-Expires: 4;refresher=uac\r\n";
    // Longer than it would live by itself.
    for (cseq, method) in [(2, "UPDATE"), (3, "INVITE"), (4, "UPDATE")] {
        tokio::time::sleep(Duration::from_millis(1400)).await;
        let body = if method == "INVITE" { offer() } else { String::new() };
        let text = phone.request(method, cseq, &cseq.to_string(), &ok.to_tag(), refresh, &body);
        phone.send(&text).await;
        let refreshed = phone.receive_code(200).await;
        assert_eq!(refreshed.header("CSeq"), Some(format!("{cseq} {method}").as_str()));
        assert_eq!(refreshed.header("Session-Expires"), Some("4;refresher=uac"));
        if method == "INVITE" {
            assert_eq!(refreshed.body(), ok.body());
            phone.ack(cseq, &ok.to_tag(), "").await;
        }
    }
    let bye = phone.request("BYE", 5, "5", &ok.to_tag(), "", "");
    phone.send(&bye).await;
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn we_refresh_by_update_where_it_is_allowed() {
    we_refresh(ALLOW, "UPDATE").await;
}

#[tokio::test]
async fn we_refresh_by_a_reinvite_that_changes_nothing_where_update_is_not_allowed() {
    we_refresh("", "INVITE").await;
}

async fn we_refresh(allow: &str, method: &str) {
    let mut callee = quick(1800).await;
    let extra = format!("{allow}Supported: timer\r\nSession-Expires: 4;refresher=uas\r\n");
    let (mut phone, dialog, ok) = called(&mut callee, &extra).await;
    assert_eq!((ok.header("Session-Expires"), ok.header("Require")), (Some("4;refresher=uas"), None));
    for _ in 0..2 {
        let refresh = phone.receive_request(method).await;
        assert_eq!(refresh.header("Session-Expires"), Some("4;refresher=uac"), "the sender is the UAC");
        assert_eq!(refresh.body(), if method == "INVITE" { ok.body() } else { "" });
        let contact = format!("Contact: <sip:raw@{}>\r\n", phone.local);
        let extra = format!("{contact}Require: timer\r\nSession-Expires: 4;refresher=uac\r\n");
        let body = if method == "INVITE" { offer() } else { String::new() };
        let text = phone.response(&refresh, "200 OK", &extra, &body);
        phone.send(&text).await;
    }
    drop(dialog);
    let bye = phone.receive_request("BYE").await;
    phone.ok(&bye).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn an_update_they_do_not_take_becomes_a_reinvite_and_a_422_a_longer_session() {
    let mut callee = quick(1800).await;
    let extra = format!("{ALLOW}Supported: timer\r\nSession-Expires: 3;refresher=uas\r\n");
    let (mut phone, dialog, _) = called(&mut callee, &extra).await;
    let update = phone.receive_request("UPDATE").await;
    let text = phone.response(&update, "405 Method Not Allowed", "", "");
    phone.send(&text).await;
    let short = phone.receive_request("INVITE").await;
    let text = phone.response(&short, "422 Session Interval Too Small", "Min-SE: 40\r\n", "");
    phone.send(&text).await;
    let longer = loop {
        let invite = phone.receive_request("INVITE").await;
        if invite.header("CSeq") != short.header("CSeq") {
            break invite;
        }
    };
    assert_eq!((longer.header("Session-Expires"), longer.header("Min-SE")), (Some("40;refresher=uac"), Some("40")));
    let extra = format!("Contact: <sip:raw@{}>\r\n", phone.local);
    let text = phone.response(&longer, "200 OK", &extra, &offer());
    phone.send(&text).await;
    phone.receive_request("ACK").await;
    drop(dialog);
    let bye = phone.receive_request("BYE").await;
    phone.ok(&bye).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn too_short_a_session_is_answered_422_with_the_least_that_is_accepted() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite("Supported: timer\r\nSession-Expires: 60\r\n", &offer()).await;
    let refused = phone.receive_code(422).await;
    assert_eq!(refused.header("Min-SE"), Some("90"));
    phone.ack_refusal(1, "1", &refused.to_tag()).await;
    nothing_left(&[callee.handle()]).await;

    let (mut phone, dialog, ok) = called(&mut callee, "Supported: timer\r\nSession-Expires: 90\r\n").await;
    let text = phone.request("UPDATE", 2, "2", &ok.to_tag(), "Supported: timer\r\nSession-Expires: 30\r\n", "");
    phone.send(&text).await;
    assert_eq!(phone.receive_code(422).await.header("Min-SE"), Some("90"));
    drop(dialog);
    let bye = phone.receive_request("BYE").await;
    phone.ok(&bye).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn a_call_of_ours_asks_for_a_longer_session_after_422_and_refreshes_it() {
    let caller = quick(2).await;
    let mut phone = RawPhone::udp(caller.handle().local_addr()).await;
    let mut call = caller.handle().call(target(phone.local, false), offer()).await.expect("sent");
    let invite = phone.receive_request("INVITE").await;
    assert_eq!((invite.header("Session-Expires"), invite.header("Min-SE")), (Some("2"), Some("2")));
    let text = phone.response(&invite, "422 Session Interval Too Small", "Min-SE: 3\r\n", "");
    phone.send(&text).await;
    phone.receive_request("ACK").await;
    let invite = phone.receive_request("INVITE").await;
    assert_eq!((invite.header("Session-Expires"), invite.header("Min-SE")), (Some("3"), Some("3")));
    assert_eq!(invite.header("CSeq"), Some("2 INVITE"));
    let contact = format!("Contact: <sip:far@{}>\r\n", phone.local);
    let extra = format!("{contact}{ALLOW}Require: timer\r\nSession-Expires: 3;refresher=uac\r\n");
    let answer = sdp::answer(invite.body(), &local(20000)).expect("G.711").1;
    let text = phone.response(&invite, "200 OK", &extra, &answer);
    phone.send(&text).await;
    let (mut dialog, _) = answered(&mut call).await;
    phone.receive_request("ACK").await;
    let update = phone.receive_request("UPDATE").await;
    // Whoever answers without a word of the timer has none any more.
    let text = phone.response(&update, "200 OK", &contact, "");
    phone.send(&text).await;
    tokio::select! {
        event = dialog.next_event() => panic!("{event:?}"),
        () = tokio::time::sleep(Duration::from_secs(3)) => {}
    }
    drop(dialog);
    let bye = phone.receive_request("BYE").await;
    phone.ok(&bye).await;
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn two_endpoints_keep_a_session_alive_over_udp_and_nobody_hears_of_it() {
    two_endpoints(false).await;
}

#[tokio::test]
async fn two_endpoints_keep_a_session_alive_over_tcp_and_nobody_hears_of_it() {
    two_endpoints(true).await;
}

async fn two_endpoints(tcp: bool) {
    let (caller, mut callee) = (quick(4).await, quick(4).await);
    let (mut ours, mut theirs) = established(&caller, &mut callee, tcp).await;
    tokio::select! {
        event = ours.next_event() => panic!("{event:?}"),
        event = theirs.next_event() => panic!("{event:?}"),
        () = tokio::time::sleep(Duration::from_secs(5)) => {}
    }
    soon("BYE", ours.bye(None)).await.expect("BYE answered");
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn a_refresh_nobody_answers_ends_the_call() {
    let mut callee = quick(1800).await;
    let extra = format!("{ALLOW}Supported: timer\r\nSession-Expires: 3;refresher=uas\r\n");
    let (mut phone, mut dialog, _) = called(&mut callee, &extra).await;
    phone.receive_request("UPDATE").await;
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Ended { .. }));
    let bye = phone.receive_request("BYE").await;
    phone.ok(&bye).await;
    nothing_left(&[callee.handle()]).await;
}
