//! An endpoint that wants to know who calls (RFC 3261 22.1, RFC 7616, RFC 8760).
//! Not here: the arithmetic and the life of nonces (`src/digest/tests.rs`).

use crate::bench::*;
use crate::raw_phone::RawPhone;
use secrecy::SecretString;
use sip_bridge::{Credentials, DigestConfig, Endpoint, EndpointConfig, OutgoingTarget};

fn alice(password: &str) -> Credentials {
    Credentials { user: "alice".to_owned(), password: SecretString::from(password), realm: None }
}

async fn challenging(trusted: &[&str]) -> Endpoint {
    let trusted = trusted.iter().map(|range| range.parse().expect("a range")).collect();
    let digest = DigestConfig { realm: "tandem.example".to_owned(), users: vec![alice("right")], trusted };
    Endpoint::bind(EndpointConfig { digest: Some(digest), ..config() }).await.expect("a free port")
}

#[tokio::test]
async fn a_caller_who_knows_the_password_comes_in_by_name_over_udp_and_tcp() {
    for tcp in [false, true] {
        let (caller, mut callee) = (endpoint().await, challenging(&[]).await);
        let target = OutgoingTarget { credentials: Some(alice("right")), ..target(callee.handle().local_addr(), tcp) };
        let mut call = caller.handle().call(target, offer()).await.expect("sent");
        let incoming = next_call(&mut callee).await;
        assert_eq!(incoming.info.authenticated.as_deref(), Some("alice"));
        let sdp = answer_to(&incoming);
        let theirs = incoming.accept(sdp).await.expect("accepted");
        let (ours, _) = answered(&mut call).await;
        soon("BYE", ours.bye(None)).await.expect("BYE answered");
        drop(theirs);
        nothing_left(&[caller.handle(), callee.handle()]).await;
    }
}

#[tokio::test]
async fn strangers_are_challenged_with_sha_256_first_and_stay_out() {
    let (caller, callee) = (endpoint().await, challenging(&[]).await);
    for credentials in [None, Some(alice("wrong"))] {
        let target = OutgoingTarget { credentials, ..target(callee.handle().local_addr(), false) };
        let mut call = caller.handle().call(target, offer()).await.expect("sent");
        assert_eq!(failed(&mut call).await.0, 401);
    }
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    phone.invite("", &offer()).await;
    let challenge = phone.receive_code(401).await;
    let offered: Vec<&str> = challenge.0.lines().filter(|line| line.starts_with("WWW-Authenticate")).collect();
    assert!(
        matches!(offered.as_slice(), [first, second] if first.contains("SHA-256") && second.contains("MD5")),
        "{offered:?}"
    );
    phone.ack_refusal(1, "1", &challenge.to_tag()).await;
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn a_trusted_front_is_not_challenged() {
    let (caller, mut callee) = (endpoint().await, challenging(&["127.0.0.0/8"]).await);
    let call = caller.handle().call(target(callee.handle().local_addr(), false), offer()).await.expect("sent");
    assert_eq!(next_call(&mut callee).await.info.authenticated, None);
    drop(call);
    nothing_left(&[caller.handle(), callee.handle()]).await;
}
