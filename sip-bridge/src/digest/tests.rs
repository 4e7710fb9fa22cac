//! Digest over the RFCs' own examples, and the guard's judgement in virtual time.
//! Not here: challenges over sockets (`tests/sip/outgoing_calls.rs`, `tests/sip/challenged_calls.rs`).

use super::client::{Attempts, Authenticator};
use super::params::Params;
use super::server::{DigestConfig, Guard, Verdict};
use super::{Algorithm, Credentials, Proof};
use crate::message::headers;
use proptest::prelude::*;
use rsipstack::sip::{Request, Response, SipMessage};
use secrecy::SecretString;

const INVITE: &str = "INVITE sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\
    From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";

fn invite() -> Request {
    match SipMessage::try_from(INVITE.as_bytes()) {
        Ok(SipMessage::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn credentials(password: &str) -> Credentials {
    Credentials { user: "alice".to_owned(), password: SecretString::from(password), realm: None }
}

fn guard() -> Guard {
    let users = vec![credentials("right")];
    Guard::new(DigestConfig { realm: "tandem".to_owned(), users, trusted: vec![] })
}

/// The guard's challenge as the client sees it.
fn challenge(guard: &Guard, stale: bool, now: u64) -> Response {
    guard.challenge(stale, now).build(&invite(), Some("far"), "ua")
}

#[test]
fn the_example_of_rfc_7616_comes_out() {
    // Section 3.9.1, which is about HTTP; the arithmetic is the same.
    let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    let of = |algorithm| {
        Proof {
            algorithm,
            realm: "http-auth@example.org",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            method: "GET",
            uri: "/dir/index.html",
            counted: Some(("00000001", cnonce)),
        }
        .response("Mufasa", &SecretString::from("Circle of Life"))
    };
    assert_eq!(of(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
    assert_eq!(of(Algorithm::Sha256), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

#[test]
fn both_sides_agree_and_a_nonce_counts_upwards_only() {
    let guard = guard();
    let mut client = Authenticator::new(credentials("right"));
    let mut signed = invite();
    assert_eq!(guard.judge(&signed, 0), Verdict::Unknown { stale: false });
    assert!(client.learn(&challenge(&guard, false, 0), &mut Attempts::default()));
    client.sign(&mut signed);
    assert!(headers::value(&signed.headers, "Authorization").is_some_and(|value| value.contains("SHA-256")));
    assert_eq!(guard.judge(&signed, 1), Verdict::Known("alice".to_owned()));
    assert_eq!(guard.judge(&signed, 2), Verdict::Unknown { stale: true }, "a captured answer is no use");
    client.sign(&mut signed);
    assert_eq!(guard.judge(&signed, 3), Verdict::Known("alice".to_owned()));
}

#[test]
fn an_old_nonce_is_stale_only_to_those_who_know_the_password() {
    let guard = guard();
    for (password, stale) in [("right", true), ("wrong", false)] {
        let mut client = Authenticator::new(credentials(password));
        let mut attempts = Attempts::default();
        assert!(client.learn(&challenge(&guard, false, 100), &mut attempts));
        let mut signed = invite();
        client.sign(&mut signed);
        assert_eq!(guard.judge(&signed, 161), Verdict::Unknown { stale });
        assert_eq!(client.learn(&challenge(&guard, stale, 161), &mut attempts), stale);
    }
}

#[test]
fn nonces_of_somebody_else_and_unknown_users_are_refused() {
    let (ours, theirs) = (guard(), guard());
    let mut client = Authenticator::new(credentials("right"));
    assert!(client.learn(&challenge(&theirs, false, 0), &mut Attempts::default()));
    let mut signed = invite();
    client.sign(&mut signed);
    assert_eq!(ours.judge(&signed, 0), Verdict::Unknown { stale: false });

    let mut stranger = Authenticator::new(Credentials { user: "bob".to_owned(), ..credentials("right") });
    assert!(stranger.learn(&challenge(&ours, false, 0), &mut Attempts::default()));
    let mut signed = invite();
    stranger.sign(&mut signed);
    assert_eq!(ours.judge(&signed, 0), Verdict::Unknown { stale: false });
}

#[test]
fn parameters_keep_commas_and_quotes_inside_of_quotes() {
    let params =
        Params::parse("digest realm=\"a, \\\"b\\\"\" ,nonce = \"\",qop=auth , stale=TRUE").expect("parameters");
    assert_eq!(params.get("REALM"), Some("a, \"b\""));
    assert_eq!((params.get("nonce"), params.get("qop"), params.get("stale")), (Some(""), Some("auth"), Some("TRUE")));
    for broken in ["Basic x=y", "Digest", "Digest realm", "Digest realm=\"open"] {
        assert!(Params::parse(broken).is_none(), "{broken}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parameters_panic(text in ".{0,200}") {
        let _ = Params::parse(&text);
        let _ = Params::parse(&format!("Digest {text}"));
    }

    #[test]
    fn no_answer_makes_the_guard_panic(text in "[a-z=\", 0-9]{0,120}") {
        let mut request = invite();
        let value = format!("Digest realm=\"tandem\", {text}");
        request.headers.push(headers::plain("Authorization", value));
        let verdict = guard().judge(&request, 0);
        let let_in = matches!(verdict, Verdict::Known(_));
        prop_assert!(!let_in);
    }
}
