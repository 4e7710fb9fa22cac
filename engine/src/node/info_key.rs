//! A key in the body of a SIP INFO: `application/dtmf-relay` and `application/dtmf`, as phones without RFC 4733 send it.
//! No standard describes either; what is read here is what Cisco's, Asterisk's and FreeSWITCH's send, and ours is such a one.

use std::str;

use crate::audio::dtmf::Digit;
use crate::call::KEY_MS;

/// Length of a key that names none, and the longest believed, ms.
const USUAL_MS: u32 = 160;
const LONGEST_MS: u32 = 10_000;

/// The key, if the body holds one.
pub fn key_in(content_type: &str, body: &[u8]) -> Option<Digit> {
    let kind = content_type.split(';').next()?.trim();
    let body = str::from_utf8(body).ok()?;
    if kind.eq_ignore_ascii_case("application/dtmf") {
        return Some(Digit { char: signal(body)?, duration_ms: USUAL_MS });
    }
    if !kind.eq_ignore_ascii_case("application/dtmf-relay") {
        return None;
    }
    let value = |name: &str| {
        let mut lines = body.lines().filter_map(|line| line.split_once('='));
        lines.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let duration = value("Duration").and_then(|ms| ms.parse().ok()).unwrap_or(USUAL_MS);
    Some(Digit { char: signal(value("Signal")?)?, duration_ms: duration.min(LONGEST_MS) })
}

/// What a key's INFO says, and of which type it is.
pub fn body_of(key: char) -> (&'static str, Vec<u8>) {
    ("application/dtmf-relay", format!("Signal={key}\r\nDuration={KEY_MS}\r\n").into_bytes())
}

/// A key by its name, or by its event code: 10 is the star, 11 the pound.
fn signal(text: &str) -> Option<char> {
    match text.trim() {
        "10" => Some('*'),
        "11" => Some('#'),
        other => {
            let mut chars = other.chars();
            let key = chars.next()?.to_ascii_uppercase();
            (chars.next().is_none() && matches!(key, '0'..='9' | '*' | '#' | 'A'..='D')).then_some(key)
        }
    }
}

#[cfg(test)]
mod tests;
