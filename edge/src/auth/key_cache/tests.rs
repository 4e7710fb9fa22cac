use super::*;

const URL: &str = "https://issuer.test/jwks.json";

fn key(kid: &str) -> Jwk {
    serde_json::from_value(serde_json::json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": kid }))
        .unwrap()
}

fn known(kid: &str, at_ms: u64) -> KeyCache {
    let mut cache = KeyCache::default();
    assert_eq!(cache.next(URL, kid, at_ms), Next::Fetch);
    cache.put(URL, vec![key(kid)], at_ms);
    cache
}

#[test]
fn known_keys_are_used_until_they_are_old() {
    let mut cache = known("a", 1_000);
    assert_eq!(cache.next(URL, "a", 1_000 + FRESH_MS - 1), Next::Use);
    assert_eq!(cache.next(URL, "a", 1_000 + FRESH_MS), Next::Fetch);
}

#[test]
fn unknown_keys_are_looked_for_but_not_more_often_than_every_half_minute() {
    let mut cache = known("a", 1_000);
    assert_eq!(cache.next(URL, "b", 2_000), Next::Use);
    assert_eq!(cache.next(URL, "b", 1_000 + PAUSE_MS), Next::Fetch);
    for later_ms in 1..PAUSE_MS {
        assert_eq!(cache.next(URL, "c", 1_000 + PAUSE_MS + later_ms), Next::Use);
    }
    assert_eq!(cache.next(URL, "c", 1_000 + 2 * PAUSE_MS), Next::Fetch);
}

#[test]
fn keys_another_isolate_fetched_do_not_put_off_the_first_look() {
    let mut cache = KeyCache::default();
    cache.put(URL, vec![key("a")], 1_000);
    assert_eq!(cache.next(URL, "b", 1_001), Next::Fetch);
}

#[test]
fn an_issuer_that_is_away_is_asked_seldom_and_its_keys_last_an_hour() {
    let mut cache = known("a", 1_000);
    assert_eq!(cache.next(URL, "a", 1_000 + FRESH_MS), Next::Fetch);
    assert_eq!(cache.next(URL, "a", 1_001 + FRESH_MS), Next::Use);
    assert!(cache.keys(URL, 1_000 + STALE_MS - 1).is_some());
    assert!(cache.keys(URL, 1_000 + STALE_MS).is_none());
}

#[test]
fn another_issuer_is_another_cache() {
    let mut cache = known("a", 1_000);
    assert!(cache.keys("https://other.test", 1_000).is_none());
    assert_eq!(cache.next("https://other.test", "a", 1_001), Next::Fetch);
    assert!(cache.is_empty(URL));
}
