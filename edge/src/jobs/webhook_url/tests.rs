//! Where events may be sent, and where a customer might try to have them sent.

use super::*;

#[test]
fn a_public_https_url_is_taken() {
    for url in [
        "https://example.com/hooks",
        "https://example.com:8443/?a=b",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]/x",
    ] {
        assert!(check(url, false).is_ok(), "{url}");
    }
}

#[test]
fn plain_http_and_other_schemes_are_not() {
    for url in ["http://example.com/", "ftp://example.com/", "file:///etc/passwd", "javascript:alert(1)"] {
        assert_eq!(check(url, false), Err(WebhookUrlError::Scheme), "{url}");
    }
}

#[test]
fn nothing_private_is_reached_however_it_is_spelt() {
    for host in [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "printer.local",
        "db.internal",
        "intranet",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "198.18.0.1",
        "192.0.2.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]",
        "[2001:db8::1]",
        "[ff02::1]",
    ] {
        let url = format!("https://{host}/hook");
        assert!(matches!(check(&url, false), Err(WebhookUrlError::Private(_))), "{url}");
    }
}

#[test]
fn credentials_and_nonsense_are_refused() {
    assert_eq!(check("https://user:word@example.com/", false), Err(WebhookUrlError::Credentials));
    assert_eq!(check("https://user@example.com/", true), Err(WebhookUrlError::Credentials));
    assert_eq!(check("no url", false), Err(WebhookUrlError::Malformed("no url".into())));
    assert_eq!(check(&format!("https://example.com/{}", "a".repeat(MAX_BYTES)), false), Err(WebhookUrlError::Length));
}

#[test]
fn in_dev_this_machine_is_fine() {
    assert!(check("http://127.0.0.1:9000/hook", true).is_ok());
    assert_eq!(check("ftp://127.0.0.1/", true), Err(WebhookUrlError::Scheme));
}
