use super::*;

const SECRET: &[u8] = b"secret";
const NOW_MS: u64 = 1_800_000_000_000;

fn token() -> CallToken {
    CallToken { call_id: "call".to_owned(), account_id: "acc_1".to_owned(), user_id: "per_1".to_owned() }
}

#[test]
fn a_token_says_what_was_put_in_until_it_expires() {
    let text = issue(SECRET, &token(), NOW_MS, 300).unwrap();
    assert_eq!(verify(SECRET, &text, NOW_MS), Ok(token()));
    assert_eq!(verify(SECRET, &text, NOW_MS + 299_999), Ok(token()));
    assert_eq!(verify(SECRET, &text, NOW_MS + 300_000), Err(CallTokenError::Expired));
}

#[test]
fn a_token_lives_five_minutes_at_most() {
    assert_eq!(issue(SECRET, &token(), NOW_MS, 0), Err(CallTokenError::Life));
    assert_eq!(issue(SECRET, &token(), NOW_MS, 301), Err(CallTokenError::Life));
    let text = issue(SECRET, &token(), NOW_MS, 300).unwrap();
    // Dated in the future it would live longer.
    assert_eq!(verify(SECRET, &text, NOW_MS - 1000), Err(CallTokenError::Wrong));
}

#[test]
fn another_secret_audience_or_algorithm_is_refused() {
    let text = issue(b"other", &token(), NOW_MS, 60).unwrap();
    assert_eq!(verify(SECRET, &text, NOW_MS), Err(CallTokenError::Wrong));
    let mut claims = serde_json::json!({
        "aud": "call-session", "call_id": "c", "account_id": "a", "user_id": "u", "exp": NOW_MS / 1000 + 60,
    });
    let made = |algorithm, claims: &serde_json::Value| {
        crypto::install();
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(SECRET)).unwrap()
    };
    assert!(verify(SECRET, &made(Algorithm::HS256, &claims), NOW_MS).is_ok());
    assert_eq!(verify(SECRET, &made(Algorithm::HS512, &claims), NOW_MS), Err(CallTokenError::Wrong));
    claims["aud"] = "other".into();
    assert_eq!(verify(SECRET, &made(Algorithm::HS256, &claims), NOW_MS), Err(CallTokenError::Wrong));
    claims.as_object_mut().unwrap().remove("aud");
    assert_eq!(verify(SECRET, &made(Algorithm::HS256, &claims), NOW_MS), Err(CallTokenError::Wrong));
}

proptest::proptest! {
    #[test]
    fn no_token_is_too_strange(text in ".{0,300}") {
        proptest::prop_assert!(verify(SECRET, &text, NOW_MS).is_err());
    }
}
