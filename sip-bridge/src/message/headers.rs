//! Header values by name, and which headers belong to the application (RFC 3261 7.3, 20).
//! Not here: building whole messages (`request`, `response`).

use rsipstack::sip::{Header, Headers};

/// Methods answered with more than an error, for Allow.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY";

/// Option tags understood (RFC 3261 20.37): reliable provisional answers, session timers, calls in place of others,
/// REFER without reports.
pub(crate) const SUPPORTED: &[&str] = &["100rel", "timer", "replaces", "norefersub"];

/// The first value of a header.
pub(crate) fn value(headers: &Headers, name: &str) -> Option<String> {
    headers.iter().find(|h| h.name().eq_ignore_ascii_case(name)).map(|h| h.value().trim().to_owned())
}

/// Every value of a header that may come several times, in order.
pub(crate) fn values<'a>(headers: &'a Headers, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers.iter().filter(move |h| h.name().eq_ignore_ascii_case(name)).map(|h| h.value().trim())
}

/// The sequence number of the CSeq header.
pub(crate) fn cseq(headers: &Headers) -> Option<u32> {
    values(headers, "CSeq").next()?.split_ascii_whitespace().next()?.parse().ok()
}

/// Whether a list of option tags, such as Supported, has one.
pub(crate) fn has_option(headers: &Headers, name: &str, option: &str) -> bool {
    values(headers, name).flat_map(|value| value.split(',')).any(|tag| tag.trim().eq_ignore_ascii_case(option))
}

/// Option tags of Require that nobody here understands (RFC 3261 8.2.2.3).
pub(crate) fn unsupported_options(headers: &Headers) -> Vec<String> {
    values(headers, "Require")
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|tag| !tag.is_empty() && !SUPPORTED.iter().any(|known| known.eq_ignore_ascii_case(tag)))
        .map(str::to_owned)
        .collect()
}

/// Whether SDP may be answered: Accept names it, or nothing at all (RFC 3261 20.1).
pub(crate) fn accepts_sdp(headers: &Headers) -> bool {
    let mut named = values(headers, "Accept").flat_map(|value| value.split(',')).peekable();
    named.peek().is_none()
        || named.any(|range| {
            let media_type = range.split(';').next().unwrap_or_default().trim();
            ["application/sdp", "application/*", "*/*"].iter().any(|known| media_type.eq_ignore_ascii_case(known))
        })
}

/// Headers an application may want to see: who called really, over which diversions, and private ones.
pub(crate) fn for_application(headers: &Headers) -> Vec<(String, String)> {
    const NAMES: [&str; 9] = [
        "Diversion",
        "History-Info",
        "User-to-User",
        "Subject",
        "Privacy",
        "Alert-Info",
        "Call-Info",
        "Priority",
        "Session-ID",
    ];
    headers
        .iter()
        .filter(|h| {
            let name = h.name();
            let prefix = name.get(..2).unwrap_or_default();
            prefix.eq_ignore_ascii_case("X-")
                || prefix.eq_ignore_ascii_case("P-")
                || NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
        })
        .map(|h| (h.name().to_owned(), h.value().trim().to_owned()))
        .collect()
}

/// Whether an application may add this header: not one the stack owns, and nothing that breaks the line.
pub(crate) fn may_be_set(name: &str, value: &str) -> bool {
    const OWNED: [&str; 19] = [
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Route",
        "Record-Route",
        "Max-Forwards",
        "Content-Length",
        "Content-Type",
        "Require",
        "Proxy-Require",
        "Supported",
        "v",
        "f",
        "t",
        "i",
        "m",
    ];
    let is_token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b));
    is_token
        && !OWNED.iter().any(|owned| owned.eq_ignore_ascii_case(name))
        && !value.bytes().any(|b| b < b' ' || b == 127)
}

/// A header the stack has no use for itself.
pub(crate) fn plain(name: &str, value: impl Into<String>) -> Header {
    Header::Other(name.to_owned(), value.into())
}

/// Text made fit for one line of a message.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

/// Text made fit for a quoted string (RFC 3261 25.1).
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", one_line(text).replace('\\', "\\\\").replace('"', "\\\""))
}
