//! The flows of an ordinary call between two endpoints, over UDP and TCP (RFC 3261 13, 15, 9).
//! Not here: calls that go wrong (`unfinished_calls`, `refusals`).

use crate::bench::*;
use sip_bridge::{DialogEnd, DialogEvent, Progress, Rejection, sdp};
use std::time::Duration;

#[tokio::test]
async fn a_call_rings_is_answered_and_ended_by_the_caller_over_udp() {
    ring_answer_and_bye(false).await;
}

#[tokio::test]
async fn a_call_rings_is_answered_and_ended_by_the_caller_over_tcp() {
    ring_answer_and_bye(true).await;
}

async fn ring_answer_and_bye(tcp: bool) {
    let (caller, mut callee) = (endpoint().await, endpoint().await);
    let mut call = caller.handle().call(target(callee.handle().local_addr(), tcp), offer()).await.expect("sent");
    let incoming = next_call(&mut callee).await;
    assert_eq!(incoming.info.sip_call_id, call.info.sip_call_id);
    assert_eq!(incoming.info.from, "sip:alice@example.com");
    assert_eq!(incoming.info.headers, [("X-Campaign".to_owned(), "spring".to_owned())]);
    incoming.ring().await.expect("ringing");
    assert!(matches!(soon("ringing", call.next_progress()).await, Progress::Ringing(180)));

    let sdp = answer_to(&incoming);
    let mut theirs = incoming.accept(sdp.clone()).await.expect("accepted");
    let (mut ours, answer) = answered(&mut call).await;
    assert_eq!(answer, sdp);
    let agreed = sdp::accept_answer(&answer, &local(30000)).expect("an answer");
    assert_eq!(agreed.remote_rtp.port(), 20000);
    assert!(matches!(next_event(&mut theirs).await, DialogEvent::Confirmed { answer: None }));

    soon("BYE", ours.bye(Some("done"))).await.expect("BYE answered");
    assert!(matches!(next_event(&mut ours).await, DialogEvent::Ended { cause: DialogEnd::LocalBye }));
    assert!(matches!(next_event(&mut theirs).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
    assert!(theirs.next_event().await.is_none());
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn the_answering_side_hangs_up_over_udp_and_tcp() {
    for tcp in [false, true] {
        let (caller, mut callee) = (endpoint().await, endpoint().await);
        let (mut ours, theirs) = established(&caller, &mut callee, tcp).await;
        soon("BYE", theirs.handle().bye(None)).await.expect("BYE answered");
        assert!(matches!(next_event(&mut ours).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
        nothing_left(&[caller.handle(), callee.handle()]).await;
    }
}

#[tokio::test]
async fn a_caller_who_gives_up_is_seen_by_the_callee_and_hears_487() {
    for tcp in [false, true] {
        let (caller, mut callee) = (endpoint().await, endpoint().await);
        let mut call = caller.handle().call(target(callee.handle().local_addr(), tcp), offer()).await.expect("sent");
        let incoming = next_call(&mut callee).await;
        incoming.ring().await.expect("ringing");
        assert!(matches!(soon("ringing", call.next_progress()).await, Progress::Ringing(180)));
        call.cancel().await;
        soon("cancelled", incoming.cancelled()).await;
        assert_eq!(failed(&mut call).await.0, 487);
        assert!(incoming.accept("v=0\r\n".to_owned()).await.is_err(), "a cancelled call cannot be answered");
        nothing_left(&[caller.handle(), callee.handle()]).await;
    }
}

#[tokio::test]
async fn a_refusal_carries_code_phrase_and_warning() {
    let (caller, mut callee) = (endpoint().await, endpoint().await);
    let mut call = caller.handle().call(target(callee.handle().local_addr(), false), offer()).await.expect("sent");
    let why = Rejection {
        reason: Some("Nobody\r\nHome".to_owned()),
        retry_after: Some(Duration::from_millis(1500)),
        ..Rejection::new(486)
    };
    next_call(&mut callee).await.reject(why).await;
    assert_eq!(failed(&mut call).await, (486, "Nobody  Home".to_owned()));
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn a_dropped_call_is_answered_480_and_a_dropped_dialog_says_bye() {
    let (caller, mut callee) = (endpoint().await, endpoint().await);
    let mut call = caller.handle().call(target(callee.handle().local_addr(), false), offer()).await.expect("sent");
    drop(next_call(&mut callee).await);
    assert_eq!(failed(&mut call).await.0, 480);

    let (ours, mut theirs) = established(&caller, &mut callee, false).await;
    drop(ours);
    assert!(matches!(next_event(&mut theirs).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn shutdown_hangs_up_and_ends_the_stream_of_calls() {
    let (caller, mut callee) = (endpoint().await, endpoint().await);
    let (mut ours, mut theirs) = established(&caller, &mut callee, false).await;
    soon("shutdown", callee.handle().shutdown()).await;
    assert!(matches!(next_event(&mut ours).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
    assert!(matches!(next_event(&mut theirs).await, DialogEvent::Ended { cause: DialogEnd::LocalBye }));
    assert!(soon("the end of calls", callee.next_call()).await.is_none());
    assert_eq!(callee.handle().open_dialogs(), 0);
}

#[tokio::test]
async fn a_call_to_nobody_fails_with_408_and_to_a_closed_tcp_port_at_once() {
    let caller = endpoint().await;
    let nobody = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let address = nobody.local_addr().expect("an address");
    let mut call = caller.handle().call(target(address, false), offer()).await.expect("sent");
    assert_eq!(failed(&mut call).await.0, 408);
    assert!(caller.handle().call(target(address, true), offer()).await.is_err());
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn headers_and_addresses_that_would_break_the_message_are_refused() {
    let caller = endpoint().await;
    let to = caller.handle().local_addr();
    for (name, value) in [("X-A", "1\r\nVia: x"), ("Via", "x"), ("X B", "x"), ("", "x")] {
        let headers = vec![(name.to_owned(), value.to_owned())];
        let target = sip_bridge::OutgoingTarget { headers, ..target(to, false) };
        assert!(caller.handle().call(target, offer()).await.is_err(), "{name:?}: {value:?}");
    }
    for uri in ["", "nonsense", "sip:a b@127.0.0.1", "sip:a@127.0.0.1>\r\nX: y"] {
        let target = sip_bridge::OutgoingTarget { uri: uri.to_owned(), ..target(to, false) };
        assert!(caller.handle().call(target, offer()).await.is_err(), "{uri:?}");
    }
    nothing_left(&[caller.handle()]).await;
}
