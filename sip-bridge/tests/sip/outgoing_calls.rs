//! Calls of ours that are challenged, redirected or refused (RFC 3261 8.1.3.4, 22.2, RFC 7616, RFC 3326).
//! Not here: calls that go well (`call_flows`).

use crate::bench::*;
use crate::raw_phone::{Message, RawPhone};
use secrecy::SecretString;
use sip_bridge::{Credentials, Endpoint, OutgoingCall, OutgoingTarget};
use std::net::SocketAddr;
use std::time::Duration;

/// A server that has not been asked anything yet: `RawPhone` answers whoever asks first.
async fn server(caller: &Endpoint) -> RawPhone {
    RawPhone::udp(caller.handle().local_addr()).await
}

fn credentials(realm: Option<&str>) -> Option<Credentials> {
    let password = SecretString::from("Circle of Life");
    Some(Credentials { user: "Mufasa".to_owned(), password, realm: realm.map(str::to_owned) })
}

async fn call(caller: &Endpoint, to: SocketAddr, with: Option<Credentials>) -> OutgoingCall {
    let target = OutgoingTarget { credentials: with, ..target(to, false) };
    caller.handle().call(target, offer()).await.expect("sent")
}

/// Refuses the next INVITE and takes its ACK. `SELF` in the extra lines is the server's address.
async fn refuse(server: &mut RawPhone, status: &str, extra: &str) -> Message {
    let invite = server.receive_request("INVITE").await;
    let extra = extra.replace("SELF", &server.local.to_string());
    let text = server.response(&invite, status, &extra, "");
    server.send(&text).await;
    assert_eq!(server.receive_request("ACK").await.header("CSeq").map(first), invite.header("CSeq").map(first));
    invite
}

fn first(value: &str) -> &str {
    value.split(' ').next().unwrap_or_default()
}

async fn answer(server: &mut RawPhone, caller: &Endpoint, call: &mut OutgoingCall) -> Message {
    let invite = server.receive_request("INVITE").await;
    let contact = format!("Contact: <sip:far@{}>\r\n", server.local);
    let sdp = sip_bridge::sdp::answer(invite.body(), &local(20000)).expect("G.711").1;
    let text = server.response(&invite, "200 OK", &contact, &sdp);
    server.send(&text).await;
    let (dialog, _) = answered(call).await;
    let ack = server.receive_request("ACK").await;
    for name in ["Authorization", "Proxy-Authorization"] {
        assert_eq!(ack.header(name), invite.header(name), "the ACK carries the INVITE's credentials");
    }
    drop(dialog);
    let bye = server.receive_request("BYE").await;
    server.ok(&bye).await;
    nothing_left(&[caller.handle()]).await;
    invite
}

/// The parameter of an Authorization header.
fn param<'a>(value: &'a str, name: &str) -> &'a str {
    value
        .trim_start_matches("Digest ")
        .split(", ")
        .find_map(|param| param.strip_prefix(name)?.strip_prefix('='))
        .unwrap_or_default()
        .trim_matches('"')
}

const MD5: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\r\n";
const SHA256: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth,auth-int\", algorithm=SHA-256\r\n";

#[tokio::test]
async fn a_challenge_is_answered_with_the_algorithm_the_server_likes_best() {
    let caller = endpoint().await;
    let mut server = server(&caller).await;
    let mut call = call(&caller, server.local, credentials(None)).await;
    let unsigned = refuse(&mut server, "401 Unauthorized", &format!("{SHA256}{MD5}")).await;
    assert_eq!(unsigned.header("Authorization"), None);
    let signed = answer(&mut server, &caller, &mut call).await;
    let value = signed.header("Authorization").expect("credentials");
    assert_eq!(
        (param(value, "algorithm"), param(value, "nc"), param(value, "username")),
        ("SHA-256", "00000001", "Mufasa")
    );
    assert_eq!(signed.header("CSeq"), Some("2 INVITE"));
    assert_eq!(signed.header("Call-ID"), unsigned.header("Call-ID"));
    assert_eq!(signed.header("From"), unsigned.header("From"));
    assert_ne!(signed.header("Via"), unsigned.header("Via"));
    assert!(!format!("{:?}", credentials(None)).contains("Circle"), "a password is never printed");
}

#[tokio::test]
async fn a_proxy_and_the_server_behind_it_are_both_answered() {
    let caller = endpoint().await;
    let mut server = server(&caller).await;
    let mut call = call(&caller, server.local, credentials(None)).await;
    refuse(&mut server, "407 Proxy Authentication Required", &MD5.replace("WWW", "Proxy").replace("\"r\"", "\"p\""))
        .await;
    refuse(&mut server, "401 Unauthorized", MD5).await;
    let signed = answer(&mut server, &caller, &mut call).await;
    assert_eq!(param(signed.header("Authorization").expect("the server's"), "realm"), "r");
    assert_eq!(param(signed.header("Proxy-Authorization").expect("the proxy's"), "realm"), "p");
    assert_eq!(param(signed.header("Proxy-Authorization").expect("the proxy's"), "nc"), "00000002");
}

#[tokio::test]
async fn a_stale_nonce_is_replaced_and_a_refused_password_is_not_tried_again() {
    let caller = endpoint().await;
    let mut server = server(&caller).await;
    let mut stale = call(&caller, server.local, credentials(None)).await;
    refuse(&mut server, "401 Unauthorized", MD5).await;
    refuse(&mut server, "401 Unauthorized", &MD5.replace("n1", "n2").replace("\r\n", ", stale=TRUE\r\n")).await;
    let signed = answer(&mut server, &caller, &mut stale).await;
    assert_eq!(param(signed.header("Authorization").expect("credentials"), "nonce"), "n2");

    let mut refused = call(&caller, server.local, credentials(None)).await;
    refuse(&mut server, "401 Unauthorized", MD5).await;
    refuse(&mut server, "401 Unauthorized", &MD5.replace("n1", "n2")).await;
    assert_eq!(failed(&mut refused).await.0, 401);
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn a_server_that_calls_every_nonce_stale_or_repeats_one_is_given_up() {
    let caller = endpoint().await;
    let mut server = server(&caller).await;
    let mut endless = call(&caller, server.local, credentials(None)).await;
    for nonce in 0..5 {
        let again = MD5.replace("n1", &format!("n{nonce}")).replace("\r\n", ", stale=true\r\n");
        refuse(&mut server, "401 Unauthorized", &again).await;
    }
    assert_eq!(failed(&mut endless).await.0, 401);
    let mut repeated = call(&caller, server.local, credentials(None)).await;
    for _ in 0..2 {
        refuse(&mut server, "401 Unauthorized", &MD5.replace("\r\n", ", stale=true\r\n")).await;
    }
    assert_eq!(failed(&mut repeated).await.0, 401);
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn challenges_that_cannot_be_answered_are_failures() {
    let caller = endpoint().await;
    let mut server = server(&caller).await;
    for (with, challenge) in [
        (None, MD5.to_owned()),
        (credentials(Some("elsewhere")), MD5.to_owned()),
        (credentials(None), MD5.replace("qop=\"auth\"", "qop=\"auth-int\"")),
        (credentials(None), MD5.replace("qop", "algorithm=SHA-512-256, qop")),
        (credentials(None), MD5.replace("Digest", "Bearer")),
        (credentials(None), String::new()),
    ] {
        let mut call = call(&caller, server.local, with).await;
        refuse(&mut server, "401 Unauthorized", &challenge).await;
        assert_eq!(failed(&mut call).await.0, 401, "{challenge}");
    }
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn a_challenged_bye_is_signed_and_sent_again() {
    let caller = endpoint().await;
    let mut server = server(&caller).await;
    let mut call = call(&caller, server.local, credentials(None)).await;
    let invite = server.receive_request("INVITE").await;
    let contact = format!("Contact: <sip:far@{}>\r\n", server.local);
    let sdp = sip_bridge::sdp::answer(invite.body(), &local(20000)).expect("G.711").1;
    let ok = server.response(&invite, "200 OK", &contact, &sdp);
    server.send(&ok).await;
    let (dialog, _) = answered(&mut call).await;
    let hanging_up = tokio::spawn(async move { dialog.bye(None).await });
    let bye = server.receive_request("BYE").await;
    let challenge = server.response(&bye, "401 Unauthorized", SHA256, "");
    server.send(&challenge).await;
    let mut signed = server.receive_request("BYE").await;
    while signed.header("Authorization").is_none() {
        signed = server.receive_request("BYE").await;
    }
    assert_eq!(signed.header("CSeq"), Some("3 BYE"));
    server.ok(&signed).await;
    assert!(soon("BYE", hanging_up).await.expect("no panic").is_ok());
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn redirections_are_followed_best_first_until_somebody_answers() {
    let caller = endpoint().await;
    let (mut first, mut second, mut third) = (server(&caller).await, server(&caller).await, server(&caller).await);
    let mut call = call(&caller, first.local, credentials(None)).await;
    let contacts = format!(
        "Contact: <sip:b@{0}>;q=0.2\r\nContact: <sip:a@{1}?X-Evil=1>;q=0.9, <mailto:a@b>\r\n",
        third.local, second.local
    );
    let refused = refuse(&mut first, "302 Moved Temporarily", &contacts).await;
    let moved = refuse(&mut second, "486 Busy Here", "").await;
    assert_eq!(moved.start(), format!("INVITE sip:a@{} SIP/2.0", second.local));
    assert_eq!((moved.header("To"), moved.header("CSeq")), (refused.header("To"), Some("2 INVITE")));
    // Not home any more: nobody named this realm.
    refuse(&mut third, "302 Moved Temporarily", &format!("Contact: <sip:c@{}>\r\n", first.local)).await;
    refuse(&mut first, "401 Unauthorized", MD5).await;
    assert_eq!(failed(&mut call).await.0, 401);
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn redirections_in_a_circle_too_many_or_to_nowhere_end() {
    let caller = endpoint().await;
    let mut server = server(&caller).await;
    let mut circle = call(&caller, server.local, None).await;
    refuse(&mut server, "301 Moved", "Contact: <sip:reception@SELF>\r\n").await;
    assert_eq!(failed(&mut circle).await.0, 301);

    let mut many = call(&caller, server.local, None).await;
    for hop in 0..6 {
        refuse(&mut server, "302 Moved", &format!("Contact: <sip:hop{hop}@SELF>\r\n")).await;
    }
    assert_eq!(failed(&mut many).await.0, 302);

    let mut nowhere = call(&caller, server.local, None).await;
    refuse(&mut server, "302 Moved", "Contact: <tel:+15550100>, <sip:x@192.0.2.1;transport=ws>\r\n").await;
    assert_eq!(failed(&mut nowhere).await.0, 302);

    let target = OutgoingTarget { max_redirects: 0, ..target(server.local, false) };
    let mut unfollowed = caller.handle().call(target, offer()).await.expect("sent");
    refuse(&mut server, "302 Moved", "Contact: <sip:hop@SELF>\r\n").await;
    assert_eq!(failed(&mut unfollowed).await.0, 302);
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn a_refusal_says_why_and_when_to_come_back() {
    let caller = endpoint().await;
    let mut server = server(&caller).await;
    let mut call = call(&caller, server.local, None).await;
    let extra =
        "Retry-After: 7 (lunch)\r\nReason: Q.850;cause=34;text=\"No circuit\"\r\nWarning: 399 a \"all busy\"\r\n";
    refuse(&mut server, "503 No Lines", extra).await;
    let failure = failure(&mut call).await;
    assert_eq!((failure.code, failure.cause), (503, Some(34)));
    assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(failure.warning.as_deref(), Some("all busy"));
    assert_eq!(failure.to_string(), "503 No Lines (Q.850 34)");
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn a_cancel_says_why_and_a_challenge_after_it_is_not_answered() {
    let caller = endpoint().await;
    let mut server = server(&caller).await;
    let mut call = call(&caller, server.local, credentials(None)).await;
    let invite = server.receive_request("INVITE").await;
    let ringing = server.response(&invite, "180 Ringing", "", "");
    server.send(&ringing).await;
    call.cancel_because("answered \"elsewhere\"").await;
    let cancel = server.receive_request("CANCEL").await;
    assert_eq!(cancel.header("Reason"), Some("SIP;cause=487;text=\"answered \\\"elsewhere\\\"\""));
    server.ok(&cancel).await;
    let challenge = server.response(&invite, "401 Unauthorized", MD5, "");
    server.send(&challenge).await;
    assert_eq!(failed(&mut call).await.0, 487);
    nothing_left(&[caller.handle()]).await;
}
