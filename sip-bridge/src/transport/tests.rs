//! The gate over any bytes, and what it mends.
//! Not here: answers over real sockets (`tests/sip/malformed.rs`).

use super::gate::{Verdict, inspect};
use proptest::prelude::*;
use rsipstack::sip::SipMessage;

const REQUEST: &str = "OPTIONS sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\
    From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n";

/// What the stack would get.
fn pass(bytes: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; 8192];
    buffer[..bytes.len()].copy_from_slice(bytes);
    match inspect(&mut buffer, bytes.len(), "ua") {
        Verdict::Pass(length) => buffer[..length].to_vec(),
        other => panic!("{other:?}"),
    }
}

fn answer(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let length = bytes.len();
    match inspect(&mut bytes, length, "ua") {
        Verdict::Answer(response) => String::from_utf8(response).expect("text"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_request_passes_unchanged() {
    let text = format!("{REQUEST}Content-Length: 3\r\n\r\nv=0");
    assert_eq!(pass(text.as_bytes()), text.as_bytes());
    assert_eq!(pass(b"\r\n\r\n"), b"\r\n\r\n");
}

#[test]
fn a_missing_content_length_is_the_rest_of_the_datagram() {
    let mended = pass(format!("{REQUEST}\r\nv=0").as_bytes());
    assert_eq!(mended, format!("{REQUEST}Content-Length: 3\r\n\r\nv=0").as_bytes());
}

#[test]
fn bytes_after_the_body_do_no_harm() {
    let text = format!("{REQUEST}Content-Length: 0\r\n\r\nspare");
    assert_eq!(pass(text.as_bytes()), text.as_bytes());
}

#[test]
fn an_unknown_method_is_answered_with_the_request_s_own_headers() {
    let text = format!("{REQUEST}Content-Length: 0\r\n\r\n").replace("OPTIONS", "DANCE");
    let response = answer(&text.replace("Via: ", "v: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK0,\r\n ").replace("To:", "t:"));
    assert!(
        response
            .starts_with("SIP/2.0 501 Not Implemented\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK0,\r\n SIP/2.0/UDP")
    );
    assert!(
        response.contains("CSeq: 1 DANCE\r\n") && response.contains("To: <sip:b@b>;tag=stateless\r\n"),
        "{response}"
    );
    assert!(SipMessage::try_from(response.replace("DANCE", "INFO").as_bytes()).is_ok());
}

#[test]
fn acks_and_responses_are_never_answered() {
    for text in [
        format!("{REQUEST}Content-Length: 9\r\n\r\n").replace("OPTIONS", "ACK"),
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1\r\nContent-Length: 9\r\n\r\n".to_owned(),
        REQUEST.replace("Via", "Vía") + "\r\n",
        "OPTIONS sip:b SIP/2.0\r\nContent-Length: x\r\n\r\n".to_owned(),
        REQUEST.to_owned(),
    ] {
        let mut bytes = text.clone().into_bytes();
        let length = bytes.len();
        assert!(matches!(inspect(&mut bytes, length, "ua"), Verdict::Drop(_)), "{text}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_gate_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), over in 0..10_usize) {
        let length = bytes.len() + over;
        let _ = inspect(&mut bytes, length, "ua");
    }

    #[test]
    fn no_damage_to_a_request_makes_the_gate_panic(
        at in any::<prop::sample::Index>(),
        with in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = format!("{REQUEST}Content-Length: 3\r\n\r\nv=0").into_bytes();
        let place = at.index(bytes.len());
        bytes.splice(place..(place + with.len()).min(bytes.len()), with);
        let length = bytes.len();
        if let Verdict::Pass(length) = inspect(&mut bytes, length, "ua") {
            prop_assert!(length <= bytes.len());
        }
    }
}
