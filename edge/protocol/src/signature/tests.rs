//! Signatures against a known value, the clock, and every change to what was signed.
//! Replays are tested where they are remembered, in the edge.

use proptest::prelude::{any, proptest};

use super::{AHEAD_MS, SignatureError, WINDOW_MS, precheck, sign, verify};

const NOW: u64 = 1_800_000_000_000;

fn check(stamp: u64, body: &[u8]) -> Result<(), SignatureError> {
    verify(b"secret", Some(&stamp.to_string()), Some(&sign(b"secret", stamp, body)), body, NOW)
}

#[test]
fn a_signature_is_hmac_sha256_over_timestamp_dot_body() {
    // printf '1800000000000.{}' | openssl dgst -sha256 -hmac secret
    let expected = "v1=33dfdea9c79231d62db093609e29ce2fa2056a0e73ebfe4d8acf88ccbbdf3fce";
    assert_eq!(sign(b"secret", NOW, b"{}"), expected);
}

#[test]
fn stamps_are_taken_for_five_minutes_and_a_little_ahead() {
    for good in [NOW, NOW - WINDOW_MS, NOW + AHEAD_MS] {
        assert_eq!(check(good, b"{}"), Ok(()));
    }
    assert_eq!(check(NOW - WINDOW_MS - 1, b"{}"), Err(SignatureError::Expired));
    assert_eq!(check(NOW + AHEAD_MS + 1, b"{}"), Err(SignatureError::Future));
}

#[test]
fn unsigned_and_malformed_requests_are_told_apart_from_wrong_ones() {
    let good = sign(b"secret", NOW, b"");
    let stamp = NOW.to_string();
    assert_eq!(verify(b"secret", None, Some(&good), b"", NOW), Err(SignatureError::Missing));
    assert_eq!(verify(b"secret", Some(&stamp), None, b"", NOW), Err(SignatureError::Missing));
    for (stamp, signature) in [("", &*good), ("+1", &good), ("1e3", &good), (&stamp, "v1="), (&stamp, &good[3..])] {
        assert_eq!(verify(b"secret", Some(stamp), Some(signature), b"", NOW), Err(SignatureError::Malformed));
    }
    assert_eq!(verify(b"other", Some(&stamp), Some(&good), b"", NOW), Err(SignatureError::Wrong));
    assert_eq!(verify(b"secret", Some(&stamp), Some(&good), b"x", NOW), Err(SignatureError::Wrong));
}

#[test]
fn without_the_body_all_but_the_digest_is_checked() {
    let forged = format!("v1={}", "0".repeat(64));
    let look = |stamp: &str, signature: &str| precheck(Some(stamp), Some(signature), NOW);
    assert_eq!(look(&NOW.to_string(), &forged), Ok(()));
    assert_eq!(look(&(NOW - WINDOW_MS - 1).to_string(), &forged), Err(SignatureError::Expired));
    assert_eq!(look(&(NOW + AHEAD_MS + 1).to_string(), &forged), Err(SignatureError::Future));
    assert_eq!(look("soon", &forged), Err(SignatureError::Malformed));
    assert_eq!(look(&NOW.to_string(), &forged[3..]), Err(SignatureError::Malformed));
    assert_eq!(precheck(None, Some(&forged), NOW), Err(SignatureError::Missing));
    assert_eq!(precheck(Some(&NOW.to_string()), None, NOW), Err(SignatureError::Missing));
}

proptest! {
    #[test]
    fn what_verifies_passes_before_the_body_too(stamp in NOW - 2 * WINDOW_MS..NOW + 2 * AHEAD_MS, body in any::<Vec<u8>>()) {
        let (text, signature) = (stamp.to_string(), sign(b"secret", stamp, &body));
        let verified = verify(b"secret", Some(&text), Some(&signature), &body, NOW);
        assert_eq!(precheck(Some(&text), Some(&signature), NOW), verified);
    }

    #[test]
    fn whatever_the_headers_say_verification_answers(stamp in ".*", signature in ".*", body in any::<Vec<u8>>()) {
        let _ = verify(b"secret", Some(&stamp), Some(&signature), &body, NOW);
    }
}
