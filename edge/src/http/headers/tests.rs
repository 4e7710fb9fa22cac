use super::*;

fn setting() -> Setting {
    Setting {
        allowed_origins: "https://app.example.test, https://other.example.test".to_owned(),
        host: "edge.example.test".to_owned(),
        ..Setting::default()
    }
}

fn value<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
}

#[test]
fn pages_load_their_own_files_only_and_no_inline_script() {
    let headers = setting().security(true);
    let policy = value(&headers, "content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(policy.contains("connect-src 'self' wss://edge.example.test;"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[test]
fn turnstile_may_be_loaded_where_it_is_used() {
    let with = Setting { turnstile: true, ..setting() };
    let headers = with.security(true);
    let policy = value(&headers, "content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self' https://challenges.cloudflare.com;"), "{policy}");
    assert!(policy.contains("frame-src https://challenges.cloudflare.com;"), "{policy}");
}

#[test]
fn a_sign_in_service_may_be_loaded_where_it_is_configured() {
    let service = "https://clerk.example.test";
    let with = Setting { sign_in: service.to_owned(), turnstile: true, ..setting() };
    let headers = with.security(true);
    let policy = value(&headers, "content-security-policy").unwrap();
    for directive in [
        "script-src 'self' https://challenges.cloudflare.com https://clerk.example.test;",
        "connect-src 'self' wss://edge.example.test https://clerk.example.test;",
        "img-src 'self' data: https://clerk.example.test;",
        "frame-src https://challenges.cloudflare.com https://clerk.example.test;",
    ] {
        assert!(policy.contains(directive), "{directive} is not in {policy}");
    }
    assert_eq!(policy.matches(service).count(), 4, "{policy}");
}

#[test]
fn what_is_no_origin_does_not_write_the_policy() {
    for odd in [
        "",
        "https://",
        "http://plain.example.test",
        "https://a.test; script-src *",
        "https://a.test 'unsafe-inline'",
        "*",
    ] {
        let with = Setting { sign_in: odd.to_owned(), ..setting() };
        assert_eq!(with.security(true), setting().security(true), "{odd}");
    }
}

#[test]
fn a_host_does_not_write_the_policy() {
    let odd = Setting { host: "a; script-src *".to_owned(), ..setting() };
    assert!(!value(&odd.security(true), "content-security-policy").unwrap().contains("script-src *"));
}

#[test]
fn https_is_demanded_outside_development() {
    assert!(value(&setting().security(false), "strict-transport-security").is_some());
    let dev = Setting { dev: true, ..setting() };
    assert_eq!(value(&dev.security(false), "strict-transport-security"), None);
}

#[test]
fn only_listed_origins_may_ask_with_credentials() {
    for (origin, allowed) in [
        ("https://app.example.test", true),
        ("https://other.example.test", true),
        ("https://app.example.test.evil.test", false),
        ("http://app.example.test", false),
        ("null", false),
        ("", false),
    ] {
        let asks = Setting { origin: Some(origin.to_owned()), ..setting() };
        let headers = asks.cross_origin();
        assert_eq!(value(&headers, "access-control-allow-origin"), allowed.then_some(origin));
        assert_eq!(value(&headers, "access-control-allow-credentials"), allowed.then_some("true"));
        assert_eq!(value(&headers, "vary"), Some("origin"));
        let preflight = asks.preflight(&["GET", "POST"]);
        assert_eq!(value(&preflight, "access-control-allow-methods"), allowed.then_some("GET, POST, OPTIONS"));
        assert_eq!(value(&preflight, "allow"), Some("GET, POST, OPTIONS"));
    }
    let nobody = Setting { origin: Some(String::new()), allowed_origins: String::new(), ..setting() };
    assert_eq!(value(&nobody.cross_origin(), "access-control-allow-origin"), None);
}

#[test]
fn the_reset_is_told_in_seconds_and_never_too_early() {
    let headers = rate_limit(&Quota { limit: 100, remaining: 7, reset_at_ms: 60_001 });
    assert_eq!(value(&headers, "x-ratelimit-limit"), Some("100"));
    assert_eq!(value(&headers, "x-ratelimit-remaining"), Some("7"));
    assert_eq!(value(&headers, "x-ratelimit-reset"), Some("61"));
}
