//! This machine, and what only looks like it.

use super::*;

#[test]
fn loopback_addresses_and_localhost_are_this_machine() {
    for url in
        ["http://127.0.0.1:8787", "http://127.9.9.9", "http://localhost:1/x", "http://[::1]:8787", "http://LOCALHOST"]
    {
        assert!(is_loopback(url), "{url}");
    }
}

#[test]
fn nothing_else_is() {
    for url in [
        "https://edge.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1@example.com",
        "http://192.168.0.1",
        "http://0.0.0.0",
        "http://[::2]",
        "127.0.0.1:8787",
        "",
    ] {
        assert!(!is_loopback(url), "{url}");
    }
}
