use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

/// Keys made for these tests; nothing trusts them.
const RSA_KEY: &str = "MIIEowIBAAKCAQEA5SFTmB+3dD4PHDc8dQqMyACLJficyeof8IPm3WCg/7etAQUiBeQmIPUTyZuXDILbzXCZijfRzxMg9S3blo7SiJfaDgLK60MgLj9NiRlXSKmgeOvsqc/sLWEr6DysoOd3HCbu/0wn7ZIsLw93rhP4UL+NGD+iQoe9Vwn9WjykemKs63GWAMDjgF0VUJW5UGka4mZGbwkG1wfK4q2z/P2q34TKbX1M0NRihZDqgBBoh3HQ/vcXLe+uAHsqkCZ6ZcFFyjkWxMHBNKnlcNxFjOjooaPrYizLSw6gkBUKFTfr9EUXunaJK6WBEwUqcr4rrng64vKfc0+e9ejF25h8kUOtCQIDAQABAoIBAFyj9FoJ3NE1dEOKu7lwugn1Wk1QbwgeTqqekf3I31904pCKhD6Qh7AElusJKvHGiNtP3uxo9D3+tHEdCO8fMNVEXEgU7flgCwdX1eAMLGO3Hag2b1obNJkGdEuyGHP4EgsCXNhA8NXXp2Chpthtv5TaVdBLji3LFw01f0d4RGIsdnOrb7+wt3opZxHVmBZoAfA4K3llzFSaBvta89QYBQ4YBM+xGv6z3glV1GtO98kfmEyts+NsfCZvk4UBvzlbqhJ/z3t4kYZuB6Z9Swa+jn3gi8Z9/B3VcW+3z5yyR17vV1ZtRIwueQUiO9p5UFik2mYU9VvYLSKVqS/BUxqsL18CgYEA9WXhW6XPv1YAvNAUrsvVJw8dI55aIuyPpdzPZEoLQlrRr+6QUCauCDkPJdkTYmZ2VmcnIwWv3r+b2ByakIRhIAATqVNRFM5I8zfEw3YgPMZC/7FK5QZ1jyhc9rWm58geYUW4A3CeCLeFoettxSeMW1CK+VhKQJfdvKYq1l95rmcCgYEA7weF9q+0osXjqhCrEYW2VCzYRCBrg91Evun1I6Drn+aNo0/mdEI+dc12Vh75F0Rfb3D1nOA8OD5PVx8tQAO7cVCvhDjC/hOTepFZJtGFc1u+MbECpTcmGdLK76fLmglLy4FhUzPZJauVPgr4vs/y+pIspKJU8aumPfDaNaomww8CgYEAkNOd2s7S+uMw8D4F1ttpYvHiiqDsJWxjosnchB3G41RiKGitNwB8+VFjhTzF2e8KrBeY22yBzP5cZYEMH3phL9ebwvTvB05vc0tYjtrqT7Pa2rixsNTNEL4Lj3bJmEVc2J+i6DTQr+hPr64YTKD4jvPL8TiQKer27F1NLtOOJsUCgYBjoMshixLLVZgS5menIghhBWAO5URq7esdd/6JHyWWvE4E5+SySHooN78/HiHMpN7yYC6/eGchOjdvpLsDl4qlLHA7uDzuEdLCn5p9J49sCa04oQLtQhNLaCTVxyaByaYh6IdcWpwDq4TFG2WagqpP7mVVKaQmJtlfr+gDvivx2QKBgH1PcH3EZxQK+RYMebRmKPvWpQW36UbXJ4c9PuSv+clV+et+jU8hVb2imkcqyAJZVdvydRjiZg5YadoTldmxwgAREVEDGcwIQWAVSjNRfTPNn4ZFNJex+z2gx11dvDWBgN4mVTyKGcrk2oCz+E9q+TKaRjZoD54klzvssEct0+Ed";
const WEAK_RSA_KEY: &str = "MIICWwIBAAKBgQDHCKLu5VAri/4+JSpFSL6azGUf0LFJ5kbpWRtk0VgBT1n4NkUEjxH8qPiKelZ4ePIHFzf3CKUpM8PuFrz3BTHwpGvYstIzS5HffFQ1l3Pw0Ss7/hO+vlgugKS3/tcS5h/In7Z4dg6QPyj1CT333UNYSh1El65lPlRGDlO4Gvn7WQIDAQABAoGACfCjenzXUSVvsBjZEJa+diqpDjq07/ThK7w4gwN1erNE0gGb1styYYTqzLepY+DebX46XEsBPJqKOXTHQSrwQHbZwH6HJ4WtI0JhZBDq1IR9aW5XN+rHzbei6Pk0PSeSFg2n+srxdsn+SV96EQjA7OjUD3LMkwiEMGLiExJBR9UCQQDibjorpMFnV/Q/L2NFpYBhSoIqo1CrSP5xBl1MPXzpsO639B+dyo2MN4sYUTlSwex/9POM/BymtntyvOiG4WHPAkEA4QaCRTDh6N4ZRHH8TBrSapCPm9rwidAHWrwbVYGzuRIJ3ychyXZ7CYWanBrF/FAD3DpI1xKAgmcMTaZ1IqfiVwJAC6ypPSTSf/SN+FAGK0ocM2f3DCG9gAdUbxln6A1nilkABeYFV0phP/CBMHDHpteuzO4hPIynIYVZGhJZXtLyCwJAHUxwp7uenmhUl+HTfME9Rly+JgfSq87nNjwpvu9dTCp6GJEKyCViDbJUmCCwSJLOfd0k4MPq8Y+jPXT/6Vw8jwJAbKpN/FJkm6fLunoG4W136bikn9GmFb0TKtYlj08W8FJPc2L0YKpmK/oWWfvsxAA7Z77uQiAXle997IZcz+JHUg==";
const EC_KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgFecIclK2JOMnAnW9AqhB9zCyGPwUKtsy9kA9yE1w8TuhRANCAATqy25JDtrL/9C2gYzJqwjcSSB56ggei2wmwL1sJ2iAwKNjEO7BTYnAGcHZj8Cu3DLvdtXj1Gg3VMZMemarNYZF";

const NOW_S: u64 = 1_800_000_000;
const EXPECTED: Expected<'static> = Expected { issuer: "https://issuer.test", audience: Some("tandem") };

fn der(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_der(&der(RSA_KEY))
}

fn ec() -> EncodingKey {
    EncodingKey::from_ec_der(&der(EC_KEY))
}

fn public(key: &EncodingKey, algorithm: Algorithm, kid: &str) -> Jwk {
    crypto::install();
    let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    jwk
}

fn keys() -> &'static [Jwk] {
    static KEYS: LazyLock<Vec<Jwk>> =
        LazyLock::new(|| vec![public(&rsa(), Algorithm::RS256, "rsa"), public(&ec(), Algorithm::ES256, "ec")]);
    &KEYS
}

fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.test", "aud": "tandem", "sub": "user_1", "sid": "ses_1", "email": "ann@example.test",
        "iat": NOW_S, "nbf": NOW_S, "exp": NOW_S + 60,
    });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn signed(algorithm: Algorithm, kid: &str, claims: &Value, key: &EncodingKey) -> String {
    crypto::install();
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) };
    encode(&header, claims, key).unwrap()
}

fn good(changes: Value) -> String {
    signed(Algorithm::ES256, "ec", &claims(changes), &ec())
}

fn verdict(token: &str) -> Result<Claims, JwtError> {
    verify(token, keys(), EXPECTED, NOW_S * 1000)
}

fn base64url(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[test]
fn a_token_of_the_issuer_is_good_by_either_algorithm() {
    for token in [good(json!({})), signed(Algorithm::RS256, "rsa", &claims(json!({})), &rsa())] {
        let claims = verdict(&token).unwrap();
        assert_eq!((claims.sub.as_str(), claims.sid.as_str()), ("user_1", "ses_1"));
        assert_eq!(claims.email.as_deref(), Some("ann@example.test"));
    }
}

#[test]
fn claims_decide_with_a_small_leeway() {
    let table = [
        (json!({ "exp": NOW_S - 4 }), Ok(())),
        (json!({ "exp": NOW_S - 5 }), Err(JwtError::Expired)),
        (json!({ "exp": NOW_S - 3600 }), Err(JwtError::Expired)),
        (json!({ "exp": NOW_S as f64 + 0.5 }), Ok(())),
        (json!({ "exp": -1 }), Err(JwtError::Expired)),
        (json!({ "exp": 1e300 }), Ok(())),
        (json!({ "exp": null }), Err(JwtError::Malformed)),
        (json!({ "exp": "tomorrow" }), Err(JwtError::Malformed)),
        (json!({ "nbf": NOW_S + 5 }), Ok(())),
        (json!({ "nbf": NOW_S + 6 }), Err(JwtError::Future)),
        (json!({ "nbf": null, "iat": null }), Ok(())),
        (json!({ "iat": NOW_S + 6 }), Err(JwtError::Future)),
        (json!({ "iss": "https://other.test" }), Err(JwtError::Issuer)),
        (json!({ "iss": "https://issuer.test/" }), Err(JwtError::Issuer)),
        (json!({ "iss": null }), Err(JwtError::Malformed)),
        (json!({ "iss": ["https://issuer.test"] }), Err(JwtError::Malformed)),
        (json!({ "aud": "other" }), Err(JwtError::Audience)),
        (json!({ "aud": null }), Err(JwtError::Audience)),
        (json!({ "aud": [] }), Err(JwtError::Audience)),
        (json!({ "aud": ["other", "tandem"] }), Ok(())),
        (json!({ "sid": null }), Err(JwtError::NoSession)),
        (json!({ "sid": "" }), Err(JwtError::NoSession)),
        (json!({ "sub": "" }), Err(JwtError::Malformed)),
        (json!({ "sub": null }), Err(JwtError::Malformed)),
        (json!({ "sub": 7 }), Err(JwtError::Malformed)),
        (json!({ "email": null }), Ok(())),
    ];
    for (changes, expected) in table {
        assert_eq!(verdict(&good(changes.clone())).map(|_| ()), expected, "{changes}");
    }
}

#[test]
fn without_an_audience_to_expect_any_will_do() {
    let anybody = Expected { audience: None, ..EXPECTED };
    for aud in [json!("other"), json!(["a", "b"]), Value::Null] {
        assert!(verify(&good(json!({ "aud": aud })), keys(), anybody, NOW_S * 1000).is_ok());
    }
}

#[test]
fn a_token_without_a_signature_is_refused() {
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let header = base64url(&json!({ "alg": algorithm, "typ": "JWT", "kid": "ec" }));
        for signature in ["", "AAAA"] {
            let token = format!("{header}.{}.{signature}", base64url(&claims(json!({}))));
            assert_eq!(verdict(&token), Err(JwtError::Algorithm), "{algorithm}");
        }
    }
    let token = good(json!({}));
    let (unsigned, _) = token.rsplit_once('.').unwrap();
    assert_eq!(verdict(&format!("{unsigned}.")), Err(JwtError::Signature));
    assert_eq!(verdict(unsigned), Err(JwtError::Malformed));
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    let jwk = public(&rsa(), Algorithm::RS256, "rsa");
    let DecodedKey { n } = serde_json::from_value(serde_json::to_value(&jwk).unwrap()).unwrap();
    let public_forms =
        [der(RSA_KEY), n.clone().into_bytes(), URL_SAFE_NO_PAD.decode(n).unwrap(), serde_json::to_vec(&jwk).unwrap()];
    for secret in public_forms {
        for kid in ["rsa", "ec"] {
            let forged = signed(Algorithm::HS256, kid, &claims(json!({})), &EncodingKey::from_secret(&secret));
            assert_eq!(verdict(&forged), Err(JwtError::Algorithm));
            // The same with a header that lies about the algorithm.
            let (_, rest) = forged.split_once('.').unwrap();
            for algorithm in ["RS256", "ES256"] {
                let lying = format!("{}.{rest}", base64url(&json!({ "alg": algorithm, "kid": kid })));
                assert!(matches!(verdict(&lying), Err(JwtError::Signature | JwtError::UnfitKey)), "{algorithm} {kid}");
            }
        }
    }
}

#[derive(Deserialize)]
struct DecodedKey {
    n: String,
}

#[test]
fn other_algorithms_are_refused_even_with_the_right_key() {
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        assert_eq!(verdict(&signed(algorithm, "rsa", &claims(json!({})), &rsa())), Err(JwtError::Algorithm));
    }
}

#[test]
fn the_key_is_the_one_named_and_of_its_kind() {
    assert_eq!(verdict(&signed(Algorithm::ES256, "other", &claims(json!({})), &ec())), Err(JwtError::UnknownKey));
    assert_eq!(verdict(&signed(Algorithm::ES256, "rsa", &claims(json!({})), &ec())), Err(JwtError::UnfitKey));
    crypto::install();
    let nameless = encode(&Header::new(Algorithm::ES256), &claims(json!({})), &ec()).unwrap();
    assert_eq!(verdict(&nameless), Err(JwtError::NoKeyId));
}

#[test]
fn a_key_for_something_else_or_too_weak_is_not_used() {
    let token = good(json!({}));
    let mut key = public(&ec(), Algorithm::ES256, "ec");
    key.common.public_key_use = Some(PublicKeyUse::Encryption);
    assert_eq!(verify(&token, &[key.clone()], EXPECTED, NOW_S * 1000), Err(JwtError::UnfitKey));
    key.common.public_key_use = Some(PublicKeyUse::Signature);
    assert!(verify(&token, &[key.clone()], EXPECTED, NOW_S * 1000).is_ok());
    key.common.key_algorithm = Some(Algorithm::RS256.into());
    assert_eq!(verify(&token, &[key], EXPECTED, NOW_S * 1000), Err(JwtError::UnfitKey));

    let weak = EncodingKey::from_rsa_der(&der(WEAK_RSA_KEY));
    let token = signed(Algorithm::RS256, "weak", &claims(json!({})), &weak);
    let keys = [public(&weak, Algorithm::RS256, "weak")];
    assert_eq!(verify(&token, &keys, EXPECTED, NOW_S * 1000), Err(JwtError::UnfitKey));
}

#[test]
fn one_changed_character_anywhere_is_refused() {
    let token = good(json!({}));
    for at in (0..token.len()).filter(|at| token.as_bytes()[*at] != b'.') {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        // The last character of a part may carry bits that do not count; then it must not be read at all.
        assert!(verdict(std::str::from_utf8(&changed).unwrap()).is_err(), "{at}");
    }
}

#[test]
fn a_token_that_is_too_long_is_not_read() {
    assert!(verdict(&good(json!({ "note": "x".repeat(1000) }))).is_ok());
    assert_eq!(verdict(&good(json!({ "note": "x".repeat(MAX_TOKEN_BYTES) }))), Err(JwtError::Oversized));
}

#[test]
fn a_document_is_read_as_far_as_it_is_understood() {
    let known = serde_json::to_value(public(&ec(), Algorithm::ES256, "ec")).unwrap();
    let document = json!({ "keys": [{ "kty": "new" }, known, 7, { "kty": "oct", "k": "c2VjcmV0", "kid": "mac" }] });
    let keys = parse_keys(&document.to_string()).unwrap();
    assert!(keys.iter().any(|key| key.common.key_id.as_deref() == Some("ec")));
    // A symmetric key in a public document makes no token good.
    let token = signed(Algorithm::HS256, "mac", &claims(json!({})), &EncodingKey::from_secret(b"secret"));
    assert_eq!(verify(&token, &keys, EXPECTED, NOW_S * 1000), Err(JwtError::Algorithm));
    let many = json!({ "keys": vec![known; MAX_KEYS + 10] });
    assert_eq!(parse_keys(&many.to_string()).unwrap().len(), MAX_KEYS);
    assert!(parse_keys("<html>").is_err());
}

proptest::proptest! {
    #[test]
    fn no_token_is_too_strange(token in ".{0,200}", parts in "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}") {
        proptest::prop_assert!(verdict(&token).is_err() && verdict(&parts).is_err());
    }
}
