//! The gate over any bytes, and what it mends; messages out of any stream.
//! Not here: answers over real sockets (`tests/sip/malformed.rs`).

use super::framing::{Frame, Frames};
use super::gate::{Verdict, inspect};
use proptest::prelude::*;
use rsipstack::sip::SipMessage;

const REQUEST: &str = "OPTIONS sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\
    From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n";

/// What the stack would get.
fn pass(bytes: &[u8]) -> Vec<u8> {
    match inspect(bytes, "ua") {
        Verdict::Pass => bytes.to_vec(),
        Verdict::Mended(message) => message,
        other => panic!("{other:?}"),
    }
}

fn answer(text: &str) -> String {
    match inspect(text.as_bytes(), "ua") {
        Verdict::Answer(response) => String::from_utf8(response).expect("text"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_request_passes_unchanged() {
    let text = format!("{REQUEST}Content-Length: 3\r\n\r\nv=0");
    assert_eq!(pass(text.as_bytes()), text.as_bytes());
}

#[test]
fn a_keep_alive_is_no_message() {
    assert!(matches!(inspect(b"\r\n\r\n", "ua"), Verdict::Drop(_)));
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
        response.starts_with("SIP/2.0 501 Not Implemented\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK0,SIP/2.0/UDP")
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
        assert!(matches!(inspect(text.as_bytes(), "ua"), Verdict::Drop(_)), "{text}");
    }
}

#[test]
fn legal_spelling_of_every_kind_is_made_plain() {
    let odd = "OPTIONS sip:b@127.0.0.1 SIP/2.0\r\nv  :  SIP  / 2.0\r\n /UDP\r\n  127.0.0.1 : 5060 ;\r\n branch  =  z9hG4bK1 \r\n\
        From : \"A ;  \\\" = B\" <sip:a@a;x= y> ; tag = 1\r\nTO :\r\n sip:b@b ;  tag\t=  2\r\nCall-ID: 1\r\n\
        CSeq: 0009\r\n  OPTIONS\r\nSubject: two\r\n  lines\r\nl: 0\r\n\r\n";
    let plain = "OPTIONS sip:b@127.0.0.1 SIP/2.0\r\nv: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\n\
        From: \"A ;  \\\" = B\" <sip:a@a;x= y>;tag=1\r\nTO: sip:b@b;tag=2\r\nCall-ID: 1\r\n\
        CSeq: 0009 OPTIONS\r\nSubject: two lines\r\nl: 0\r\n\r\n";
    assert_eq!(String::from_utf8(pass(odd.as_bytes())).expect("text"), plain);
    assert_eq!(pass(plain.as_bytes()), plain.as_bytes());
}

#[test]
fn headers_that_may_come_once_are_refused_twice() {
    for repeated in ["CSeq: 2 OPTIONS", "f: <sip:a@a>;tag=2", "To: <sip:c@c>", "i: 2", "Content-Length: 1\r\nl: 2"] {
        let text = format!("{REQUEST}{repeated}\r\n\r\nv=0");
        assert!(answer(&text).starts_with("SIP/2.0 400 "), "{repeated}");
    }
}

#[test]
fn a_stream_gives_its_messages_and_pings_whatever_the_pieces_it_comes_in() {
    let first = format!("{REQUEST}Content-Length: 3\r\n\r\nv=0").into_bytes();
    let second = format!("{REQUEST}\r\n").into_bytes();
    let stream = [b"\r\n\r\n".as_slice(), &first, b"\r\n", &second].concat();
    for piece in 1..stream.len() {
        let (mut frames, mut seen) = (Frames::default(), Vec::new());
        for bytes in stream.chunks(piece) {
            frames.push(bytes);
            loop {
                match frames.next() {
                    Frame::Partial => break,
                    frame => seen.push(frame),
                }
            }
        }
        assert_eq!(
            seen,
            [Frame::Ping, Frame::Message(first.clone()), Frame::Message(second.clone())],
            "pieces of {piece}"
        );
        assert!(frames.is_empty());
    }
}

#[test]
fn a_stream_whose_message_has_no_end_is_given_up() {
    let head = format!("{REQUEST}Content-Length: -1\r\n\r\n").into_bytes();
    let mut frames = Frames::default();
    frames.push(&[&head[..], b"what comes then"].concat());
    assert_eq!(frames.next(), Frame::Endless(head));
    for long in [format!("{REQUEST}Content-Length: 999999999999\r\n\r\n"), "x".repeat(65 * 1024)] {
        let mut frames = Frames::default();
        frames.push(long.as_bytes());
        assert_eq!(frames.next(), Frame::TooLong);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_gate_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = inspect(&bytes, "ua");
    }

    #[test]
    fn no_damage_to_a_request_makes_the_gate_or_the_framing_panic(
        at in any::<prop::sample::Index>(),
        with in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = format!("{REQUEST}Content-Length: 3\r\n\r\nv=0").into_bytes();
        let place = at.index(bytes.len());
        bytes.splice(place..(place + with.len()).min(bytes.len()), with);
        // What was mended once needs no more mending.
        if let Verdict::Mended(message) = inspect(&bytes, "ua") {
            prop_assert_eq!(inspect(&message, "ua"), Verdict::Pass);
        }
        let mut frames = Frames::default();
        frames.push(&bytes);
        let _ = frames.next();
    }
}
