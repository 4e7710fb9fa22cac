//! Bodies as they were seen from phones and switches.
//! How INFO reaches a call is in `loadtest/tests/e2e`.

use super::*;

#[test]
fn a_key_is_read_from_either_kind_of_body() {
    let digit = |char, duration_ms| Some(Digit { char, duration_ms });
    assert_eq!(key_in("application/dtmf-relay", b"Signal=5\r\nDuration=250\r\n"), digit('5', 250));
    assert_eq!(key_in("Application/DTMF-Relay; charset=utf-8", b"Signal= *\nDuration= 100"), digit('*', 100));
    assert_eq!(key_in("application/dtmf-relay", b"Signal=11\r\n"), digit('#', USUAL_MS));
    assert_eq!(key_in("application/dtmf-relay", b"Duration=4000000000\r\nSignal=d\r\n"), digit('D', LONGEST_MS));
    assert_eq!(key_in("application/dtmf", b"7"), digit('7', USUAL_MS));
    assert_eq!(key_in("application/dtmf", b"10\r\n"), digit('*', USUAL_MS));
}

#[test]
fn what_is_no_key_is_none() {
    for (content_type, body) in [
        ("application/dtmf", &b""[..]),
        ("application/dtmf", b"!"),
        ("application/dtmf", b"55"),
        ("application/dtmf-relay", b"5"),
        ("application/dtmf-relay", b"Signal=\r\nDuration=100"),
        ("application/dtmf-relay", b"\xFF\xFE"),
        ("application/media_control+xml", b"5"),
        ("", b"5"),
    ] {
        assert_eq!(key_in(content_type, body), None, "{content_type} {body:?}");
    }
}

#[test]
fn what_we_send_is_what_we_read() {
    for key in "0123456789*#ABCD".chars() {
        let (content_type, body) = body_of(key);
        assert_eq!(key_in(content_type, &body), Some(Digit { char: key, duration_ms: 100 }));
    }
}
