//! Addresses, URIs and bodies as they come, and properties over any text.
//! Not here: whole calls (`tests/sip`).

use super::address::{Address, split_list};
use super::body::{self, Body};
use super::headers::{may_be_set, quoted};
use super::response::{Reply, to_bytes};
use super::uri::{Hop, Protocol, stack_uri};
use crate::Rejection;
use proptest::prelude::*;
use rsipstack::sip::{Request, SipMessage};
use std::time::Duration;

fn request(extra: &str, body: &str) -> Request {
    let text = format!(
        "INVITE sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\n\
         To: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n{extra}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Request::try_from(text.as_str()).expect("a request")
}

#[test]
fn addresses_are_read_in_all_their_forms() {
    let cases = [
        (
            "\"A. \\\"B\\\" <x>, C\" <sip:a@b;user=phone>;tag=1;x=y",
            Some("A. \"B\" <x>, C"),
            "sip:a@b;user=phone",
            Some("1"),
        ),
        ("Alice <sip:a@b>;TAG = 9", Some("Alice"), "sip:a@b", Some("9")),
        ("sip:a@b;tag=7", None, "sip:a@b", Some("7")),
        ("<tel:+4930;phone-context=x>", None, "tel:+4930;phone-context=x", None),
        ("<sip:a@b>;tag=", None, "sip:a@b", None),
    ];
    for (value, display, uri, tag) in cases {
        let address = Address::parse(value).unwrap_or_else(|| panic!("{value}"));
        assert_eq!((address.display.as_deref(), address.uri, address.tag()), (display, uri, tag), "{value}");
    }
    for value in ["", "\"open <sip:a@b>", "<sip:a@b", "nobody"] {
        assert_eq!(Address::parse(value), None, "{value}");
    }
}

#[test]
fn lists_are_split_between_addresses_only() {
    let value = "<sip:a,b@c;lr>, \"x, \\\", y\" <sip:d>,, <sip:e>";
    assert_eq!(split_list(value).collect::<Vec<_>>(), ["<sip:a,b@c;lr>", "\"x, \\\", y\" <sip:d>", "<sip:e>"]);
}

#[test]
fn a_uri_leads_to_host_port_and_transport() {
    let hop = |host: &str, port, protocol, loose| {
        // What the cases below have in common: only one of them names no transport and is not plain.
        let named = protocol == Protocol::Tcp;
        Some(Hop { host: host.to_owned(), port, protocol, loose, named })
    };
    assert_eq!(Hop::of("sip:a@127.0.0.1:5070;transport=TCP;lr"), hop("127.0.0.1", 5070, Protocol::Tcp, true));
    assert_eq!(Hop::of("sip:+49;phone-context=x@h;user=phone"), hop("h", 5060, Protocol::Udp, false));
    assert_eq!(Hop::of("sip:[::1]:7;lr=on"), hop("::1", 7, Protocol::Udp, true));
    let secure = |uri: &str| Hop::of(uri).map(|hop| (hop.host, hop.port, hop.protocol));
    assert_eq!(secure("sips:a@h"), Some(("h".to_owned(), 5061, Protocol::Tls)));
    assert_eq!(secure("sips:a@h:7;transport=tcp"), Some(("h".to_owned(), 7, Protocol::Tls)));
    assert_eq!(secure("sip:h;transport=TLS"), Some(("h".to_owned(), 5061, Protocol::Tls)));
    assert_eq!(Hop::of("sip:h;maddr=10.0.0.1?X=a@b"), hop("10.0.0.1", 5060, Protocol::Udp, false));
    for uri in
        ["sips:a@h;transport=udp", "tel:+49", "sip:", "sip:a@", "sip:a@h:99999", "sip:a@h;transport=ws", "nonsense"]
    {
        assert_eq!(Hop::of(uri), None, "{uri}");
    }
}

#[test]
fn escapes_in_a_user_part_survive_the_stack() {
    for uri in ["sip:a%20b@h:5060", "sip:a@h", "sip:h;lr", "sip:%23123@h;user=phone"] {
        assert_eq!(stack_uri(uri).map(|uri| uri.to_string()).as_deref(), Some(uri));
    }
    assert_eq!(stack_uri("sip:a@h\r\nX: y"), None);
}

#[test]
fn the_sdp_is_found_alone_and_in_a_multipart() {
    assert_eq!(body::read(&request("", ""), b""), Body::Empty);
    let sdp = |content_type: &str, text: &str| {
        let request = request(&format!("Content-Type: {content_type}\r\n"), text);
        body::read(&request, &request.body)
    };
    assert_eq!(sdp("Application/SDP; charset=x", "v=0"), Body::Sdp("v=0".to_owned()));
    let parts =
        "--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\ncontent-type:application/sdp\r\n\r\nv=0\r\n\r\n--b--";
    assert_eq!(sdp("multipart/mixed; boundary=\"b\"", parts), Body::Sdp("v=0\r\n".to_owned()));
    assert_eq!(sdp("multipart/mixed", parts), Body::Other("multipart/mixed".to_owned()));
    assert_eq!(sdp("text/plain", "v=0"), Body::Other("text/plain".to_owned()));
    assert_eq!(sdp("application/sdp", &"x".repeat(20_000)), Body::TooLarge);
}

#[test]
fn a_rejection_cannot_break_the_message() {
    let why = Rejection {
        code: 42,
        reason: Some("a\r\nX: y".to_owned()),
        retry_after: Some(Duration::from_millis(1)),
        warning: Some((1, "say \"no\"\r\n\\".to_owned())),
    };
    let response = Reply::rejection(&why, "127.0.0.1:5070").build(&request("", ""), Some("t"), "ua");
    let text = response.to_string();
    assert!(text.starts_with("SIP/2.0 500 a  X: y\r\n"), "{text}");
    assert!(text.contains("Warning: 399 127.0.0.1:5070 \"say \\\"no\\\"  \\\\\"\r\n"), "{text}");
    assert!(text.contains("Retry-After: 1\r\n") && text.contains("To: <sip:b@b>;tag=t\r\n"), "{text}");
}

#[test]
fn a_response_is_written_as_the_stack_writes_it() {
    let request = request("Record-Route: <sip:a;lr>\r\nX-Odd: \u{e4}\r\n", "");
    let why = Rejection { reason: Some("Out \u{fc}ber Lunch".to_owned()), ..Rejection::new(480) };
    for reply in [Reply::new(200).sdp("v=0\r\n".to_owned()), Reply::new(100), Reply::rejection(&why, "b")] {
        let response = reply.build(&request, Some("ours"), "ua");
        assert_eq!(to_bytes(&response), response.to_bytes());
    }
}

#[test]
fn only_whole_and_free_headers_may_be_set() {
    assert!(may_be_set("X-Account", "a; b=\"c\"") && may_be_set("P-Asserted-Identity", "<sip:a@b>"));
    for (name, value) in [("via", "x"), ("Contact", "x"), ("X:", "x"), ("X", "a\nb"), ("X", "a\0b")] {
        assert!(!may_be_set(name, value), "{name}: {value:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_address_or_uri_panic(text in any::<String>()) {
        let _ = Address::parse(&text).map(|address| address.tag().map(str::len));
        let _ = split_list(&text).count();
        let _ = Hop::of(&text);
        let _ = Hop::of(&format!("sip:{text}"));
        let _ = stack_uri(&format!("sip:{text}"));
        prop_assert!(!quoted(&text).contains('\n'));
    }

    #[test]
    fn no_multipart_makes_the_body_reader_panic(text in any::<Vec<u8>>(), boundary in "[ -~]{0,10}") {
        let request = request(&format!("Content-Type: multipart/mixed;boundary={boundary}\r\n"), "");
        let _ = body::read(&request, &text);
    }

    /// The stack parses what strangers send, on a task that must not panic.
    #[test]
    fn no_damage_to_a_request_makes_the_stack_panic(
        at in any::<prop::sample::Index>(),
        with in prop::collection::vec(any::<u8>(), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = request("Contact: <sip:a@[::1]:5;x=y>\r\nRecord-Route: <sip:p;lr>, <sip:q>\r\n", "v=0\r\n").to_bytes();
        let place = at.index(bytes.len());
        bytes.splice(place..(place + with.len()).min(bytes.len()), with);
        bytes.truncate(bytes.len() - cut.index(bytes.len()) / 8);
        if let Ok(SipMessage::Request(request)) = SipMessage::try_from(&bytes[..]) {
            let _ = crate::dialog::table::DialogId::of_incoming(&request);
            let _ = Reply::new(200).build(&request, Some("t"), "ua").to_bytes();
            let _ = body::read(&request, &request.body);
            let _ = rsipstack::transaction::key::TransactionKey::from_request(
                &request,
                rsipstack::transaction::key::TransactionRole::Server,
            );
        }
    }
}
