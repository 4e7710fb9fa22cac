use axum::http::{HeaderMap, StatusCode};
use edge_protocol::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, WINDOW_MS, sign};

use super::{Entry, Gate, SeenSignatures, TELNYX_HEADER, TWILIO_HEADER, Verifier};

const NOW: u64 = 1_700_000_000_000;
const PATH: &str = "/ws/tandem?x=1";
const HERE: &str = "127.0.0.1:4000";
const MAPPED: &str = "[::ffff:127.0.0.1]:4000";
const ELSEWHERE: &str = "192.0.2.7:4000";

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn signed(secret: &[u8], at: u64, path: &str) -> HeaderMap {
    let (timestamp, signature) = (at.to_string(), sign(secret, at, path.as_bytes()));
    headers(&[(TIMESTAMP_HEADER, &timestamp), (SIGNATURE_HEADER, &signature)])
}

struct Door {
    secret: Option<&'static [u8]>,
    open: bool,
    seen: SeenSignatures,
    twilio: bool,
    token: &'static [u8],
}

impl Door {
    fn new(secret: Option<&'static [u8]>, open: bool) -> Self {
        Self { secret, open, seen: SeenSignatures::default(), twilio: false, token: b"" }
    }

    fn admit(&self, peer: &str, headers: &HeaderMap) -> Result<Entry, StatusCode> {
        let twilio = self.twilio.then_some(Verifier { auth_token: b"12345", url: "wss://voice.example.com/ws/twilio" });
        let gate = Gate { secret: self.secret, open: self.open, seen: &self.seen, token: self.token, twilio };
        gate.admit(peer.parse().unwrap(), PATH, headers, NOW).map_err(|refusal| refusal.status)
    }
}

#[test]
fn without_an_edge_only_this_machine_is_served_unless_told_otherwise() {
    let closed = Door::new(None, false);
    assert_eq!(closed.admit(HERE, &headers(&[])), Ok(Entry::Unsigned));
    assert_eq!(closed.admit(MAPPED, &headers(&[])), Ok(Entry::Unsigned));
    assert_eq!(closed.admit(ELSEWHERE, &headers(&[])), Err(StatusCode::FORBIDDEN));
    assert_eq!(Door::new(None, true).admit(ELSEWHERE, &headers(&[])), Ok(Entry::Unsigned));
    assert_eq!(closed.admit(HERE, &signed(b"k", NOW, PATH)), Err(StatusCode::UNAUTHORIZED));
}

#[test]
fn with_an_edge_others_must_sign() {
    let door = Door::new(Some(b"secret"), true);
    assert_eq!(door.admit(HERE, &headers(&[])), Ok(Entry::Unsigned));
    assert_eq!(door.admit(ELSEWHERE, &headers(&[])), Err(StatusCode::UNAUTHORIZED));
    assert_eq!(door.admit(ELSEWHERE, &signed(b"secret", NOW, PATH)), Ok(Entry::Signed));
}

#[test]
fn a_signature_is_good_for_one_path_one_time_and_five_minutes() {
    let door = Door::new(Some(b"secret"), false);
    let mine = signed(b"secret", NOW - 1, PATH);
    assert_eq!(door.admit(ELSEWHERE, &mine), Ok(Entry::Signed));
    for wrong in [
        mine,
        signed(b"guessed", NOW, PATH),
        signed(b"secret", NOW, "/ws/tandem"),
        signed(b"secret", NOW - WINDOW_MS - 1, PATH),
        headers(&[(TIMESTAMP_HEADER, "1")]),
        headers(&[(SIGNATURE_HEADER, "v1=00")]),
    ] {
        assert_eq!(door.admit(HERE, &wrong), Err(StatusCode::UNAUTHORIZED), "{wrong:?}");
    }
}

#[test]
fn a_proxy_or_a_foreign_page_on_this_machine_is_not_this_machine() {
    let door = Door::new(None, false);
    let not_here: [&[(&str, &str)]; 5] = [
        &[("x-forwarded-for", "192.0.2.7")],
        &[("forwarded", "for=192.0.2.7")],
        &[("origin", "null")],
        &[("origin", "https://elsewhere.example")],
        // A name that was made to mean this machine.
        &[("host", "elsewhere.example:8080"), ("origin", "http://elsewhere.example:8080")],
    ];
    for others in not_here {
        assert_eq!(door.admit(HERE, &headers(others)), Err(StatusCode::FORBIDDEN), "{others:?}");
    }
    for page in ["http://127.0.0.1:8080", "http://localhost:5173", "http://[::1]:8080"] {
        assert_eq!(door.admit(HERE, &headers(&[("origin", page)])), Ok(Entry::Unsigned), "{page}");
    }
}

#[test]
fn with_twilios_token_only_twilio_and_this_machine_are_served() {
    // HMAC-SHA1 of wss://voice.example.com/ws/twilio?x=1 with the token "12345".
    let signature = "6KAdoCyWAYXl0/EG4xY9QdXS1f0=";
    for (secret, open) in [(None, false), (None, true), (Some(&b"secret"[..]), false)] {
        let door = Door { twilio: true, ..Door::new(secret, open) };
        assert_eq!(door.admit(ELSEWHERE, &headers(&[(TWILIO_HEADER, signature)])), Ok(Entry::Unsigned));
        assert_eq!(door.admit(ELSEWHERE, &headers(&[(TWILIO_HEADER, "bm9uZQ==")])), Err(StatusCode::UNAUTHORIZED));
        assert_eq!(door.admit(HERE, &headers(&[(TWILIO_HEADER, "bm9uZQ==")])), Err(StatusCode::UNAUTHORIZED));
        assert_eq!(door.admit(ELSEWHERE, &headers(&[])), Err(StatusCode::UNAUTHORIZED));
        assert_eq!(door.admit(HERE, &headers(&[])), Ok(Entry::Unsigned));
    }
    let without = Door::new(None, true);
    assert_eq!(without.admit(ELSEWHERE, &headers(&[(TWILIO_HEADER, "bm9uZQ==")])), Ok(Entry::Unsigned));
}

#[test]
fn who_shows_the_token_is_served_from_anywhere() {
    // "any:open sesame" and "any:else" in base64.
    let good = [
        ("authorization", "Bearer open sesame"),
        ("authorization", "basic YW55Om9wZW4gc2VzYW1l"),
        (TELNYX_HEADER, "open sesame"),
    ];
    let bad = [
        ("authorization", "Bearer open"),
        ("authorization", "Basic YW55OmVsc2U="),
        (TELNYX_HEADER, ""),
        ("authorization", "Basic ?"),
    ];
    for secret in [None, Some(&b"secret"[..])] {
        let door = Door { token: b"open sesame", ..Door::new(secret, false) };
        for shown in good {
            assert_eq!(door.admit(ELSEWHERE, &headers(&[shown])), Ok(Entry::Unsigned), "{shown:?}");
        }
        for shown in bad {
            assert!(door.admit(ELSEWHERE, &headers(&[shown])).is_err(), "{shown:?}");
        }
    }
    let without = Door::new(None, false);
    assert!(without.admit(ELSEWHERE, &headers(&[("authorization", "Bearer ")])).is_err(), "no token opens nothing");
}
