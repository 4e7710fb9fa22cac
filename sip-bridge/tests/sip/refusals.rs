//! What is refused before the application hears of it, and how OPTIONS is answered (RFC 3261 8.2, 11.2).
//! Not here: requests inside a dialog (`dialog_requests`), text that is no SIP (`malformed`).

use crate::bench::*;
use crate::raw_phone::RawPhone;
use sip_bridge::{Admission, Endpoint, EndpointConfig, Rejection};
use std::time::Duration;

/// Sends an INVITE that must be refused, acknowledges, and returns the refusal.
async fn refused(callee: &Endpoint, extra: &str, body: &str) -> crate::raw_phone::Message {
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite(extra, body).await;
    let mut answer = phone.receive().await;
    while answer.code() == 100 {
        answer = phone.receive().await;
    }
    phone.ack_refusal(1, "1", &answer.to_tag()).await;
    assert!(!answer.to_tag().is_empty(), "{answer:?}");
    answer
}

#[tokio::test]
async fn an_unsupported_require_is_answered_420_and_named() {
    let callee = endpoint().await;
    let answer = refused(&callee, "Require: 100rel, precondition\r\n", &offer()).await;
    assert_eq!((answer.code(), answer.header("Unsupported")), (420, Some("precondition")));
    let answer = refused(&callee, "Require: foo , bar\r\n", &offer()).await;
    assert_eq!((answer.code(), answer.header("Unsupported")), (420, Some("foo, bar")));
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn supported_extensions_are_no_obstacle() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite("Supported: 100rel, timer, replaces\r\nSession-Expires: 1800\r\n", &offer()).await;
    next_call(&mut callee).await.reject(Rejection::new(486)).await;
    let refused = phone.receive_code(486).await;
    assert!(refused.header("Require").is_none());
    phone.ack_refusal(1, "1", &refused.to_tag()).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn a_body_that_is_no_sdp_is_answered_415_and_a_huge_one_413() {
    let callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    let invite = phone.request("INVITE", 1, "1", "", "", "hello").replace("application/sdp", "text/plain");
    phone.send(&invite).await;
    let answer = phone.receive().await;
    assert_eq!((answer.code(), answer.header("Accept")), (415, Some("application/sdp")));
    phone.ack_refusal(1, "1", &answer.to_tag()).await;

    let mut phone = RawPhone::tcp(callee.handle().local_addr()).await;
    phone.invite("", &format!("v=0\r\n{}", "a=x\r\n".repeat(4000))).await;
    let answer = phone.receive().await;
    assert_eq!(answer.code(), 413);
    phone.ack_refusal(1, "1", &answer.to_tag()).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn sdp_inside_a_multipart_is_found() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    let sdp = offer();
    let body = format!(
        "--b1\r\nContent-Type: application/isup\r\n\r\n\x01\x02\r\n--b1\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b1--\r\n"
    );
    let invite = phone.request("INVITE", 1, "1", "", "", &body);
    phone
        .send(&invite.replace("application/sdp\r\nContent-Length", "multipart/mixed;boundary=b1\r\nContent-Length"))
        .await;
    let call = next_call(&mut callee).await;
    assert_eq!(call.offer.as_deref(), Some(sdp.as_str()));
    call.reject(Rejection::new(486)).await;
    let tag = phone.receive_code(486).await.to_tag();
    phone.ack_refusal(1, "1", &tag).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn a_busy_endpoint_refuses_calls_with_retry_after_and_still_answers_options() {
    let callee = endpoint().await;
    callee.handle().set_admission(Admission::Busy { retry_after: Duration::from_millis(2500) });
    let answer = refused(&callee, "", &offer()).await;
    assert_eq!((answer.code(), answer.header("Retry-After")), (503, Some("3")));
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    let options = phone.request("OPTIONS", 1, "1", "", "", "");
    phone.send(&options).await;
    assert_eq!(phone.receive().await.code(), 200);
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn a_draining_endpoint_refuses_calls_and_options_and_keeps_its_dialogs() {
    let (caller, mut callee) = (endpoint().await, endpoint().await);
    let (ours, theirs) = established(&caller, &mut callee, false).await;
    callee.handle().set_admission(Admission::Draining);
    assert_eq!(refused(&callee, "", &offer()).await.code(), 503);
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    let options = phone.request("OPTIONS", 1, "1", "", "", "");
    phone.send(&options).await;
    assert_eq!(phone.receive().await.code(), 503);
    assert!(soon("BYE", ours.bye(None)).await.is_ok());
    drop(theirs);
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn options_tells_what_is_spoken_over_udp_and_tcp() {
    let callee = endpoint().await;
    let to = callee.handle().local_addr();
    for tcp in [false, true] {
        let mut phone = if tcp { RawPhone::tcp(to).await } else { RawPhone::udp(to).await };
        let options = phone.request("OPTIONS", 1, "1", "", "", "");
        phone.send(&options).await;
        let answer = phone.receive().await;
        assert_eq!(answer.code(), 200);
        assert_eq!(answer.header("Accept"), Some("application/sdp"));
        assert_eq!(answer.header("Supported"), Some("100rel, timer, replaces, norefersub"));
        assert_eq!(answer.header("User-Agent"), Some("tandem-test"));
        assert!(answer.header("Allow").is_some_and(|allow| allow.contains("INVITE")));
    }
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn more_unanswered_calls_than_allowed_are_refused_and_answered_ones_make_room() {
    let mut callee = Endpoint::bind(EndpointConfig { max_pending: 2, ..config() }).await.expect("a free port");
    let caller = endpoint().await;
    let to = callee.handle().local_addr();
    let mut waiting = Vec::new();
    let mut calls = Vec::new();
    for _ in 0..2 {
        calls.push(caller.handle().call(target(to, false), offer()).await.expect("sent"));
        waiting.push(next_call(&mut callee).await);
    }
    let answer = refused(&callee, "", &offer()).await;
    assert_eq!(answer.code(), 503);
    assert!(answer.header("Retry-After").is_some());
    waiting.pop();
    calls.push(caller.handle().call(target(to, false), offer()).await.expect("sent"));
    waiting.push(next_call(&mut callee).await);
    drop((waiting, calls));
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn requests_for_unknown_dialogs_are_answered_481_and_strange_ones_405() {
    let callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    for (cseq, method) in (1..).zip(["BYE", "INFO", "UPDATE", "PRACK", "OPTIONS", "REFER", "NOTIFY"]) {
        let text = phone.request(method, cseq, &format!("u{cseq}"), "unknown", "", "");
        phone.send(&text).await;
        assert_eq!(phone.receive().await.code(), 481, "{method}");
    }
    let reinvite = phone.request("INVITE", 20, "u20", "unknown", "", &offer());
    phone.send(&reinvite).await;
    assert_eq!(phone.receive().await.code(), 481);
    phone.ack_refusal(20, "u20", "unknown").await;
    for (cseq, method) in (30..).zip(["REGISTER", "MESSAGE", "SUBSCRIBE", "PUBLISH", "REFER", "NOTIFY"]) {
        let text = phone.request(method, cseq, &format!("u{cseq}"), "", "", "");
        phone.send(&text).await;
        assert_eq!(phone.receive().await.code(), 405, "{method}");
    }
    let ack = phone.request("ACK", 50, "u50", "unknown", "", "");
    phone.send(&ack).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn one_invite_by_two_paths_is_one_call_and_482() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite("", &offer()).await;
    let call = next_call(&mut callee).await;
    let copy = phone.request("INVITE", 1, "other-path", "", "", &offer());
    phone.send(&copy).await;
    let merged = phone.receive_code(482).await;
    phone.ack_refusal(1, "other-path", &merged.to_tag()).await;
    call.reject(Rejection::new(486)).await;
    let tag = phone.receive_code(486).await.to_tag();
    phone.ack_refusal(1, "1", &tag).await;
    nothing_left(&[callee.handle()]).await;
}
