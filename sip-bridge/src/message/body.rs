//! Message bodies: finding the SDP, alone or inside a multipart (RFC 3261 7.4, RFC 5621).
//! Not here: reading the SDP (`crate::sdp`).

use super::headers;
use rsipstack::sip::HasHeaders;

/// Longer descriptions are refused: no telephone needs them.
pub(crate) const MAX_SDP_BYTES: usize = 16 * 1024;

/// What a message carries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Empty,
    Sdp(String),
    /// Something else; the Content-Type says what.
    Other(String),
    TooLarge,
}

/// Reads the body of a request or response.
pub(crate) fn read(message: &impl HasHeaders, body: &[u8]) -> Body {
    if body.is_empty() {
        return Body::Empty;
    }
    let content_type = headers::value(message.headers(), "Content-Type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let part = match media_type.as_str() {
        // Without a Content-Type there is nothing else it could be for us.
        "application/sdp" | "" => Some(body),
        kind if kind.starts_with("multipart/") => sdp_part(body, &content_type),
        _ => None,
    };
    match part {
        None => Body::Other(content_type),
        Some(sdp) if sdp.len() > MAX_SDP_BYTES => Body::TooLarge,
        Some(sdp) => Body::Sdp(String::from_utf8_lossy(sdp).into_owned()),
    }
}

/// The first `application/sdp` part of a multipart body (RFC 2046 5.1).
fn sdp_part<'a>(body: &'a [u8], content_type: &str) -> Option<&'a [u8]> {
    let boundary = content_type.split(';').find_map(|param| {
        let (name, value) = param.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    let delimiter = format!("--{boundary}");
    let mut starts = Vec::new();
    let mut from = 0;
    while let Some(at) = find(body.get(from..)?, delimiter.as_bytes()) {
        starts.push(from + at);
        from += at + delimiter.len();
    }
    starts.windows(2).find_map(|pair| {
        let [start, end] = pair else { return None };
        let part = body.get(start + delimiter.len()..*end)?;
        let split = find(part, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(part.get(..split)?).to_ascii_lowercase();
        let is_sdp = head.lines().any(|line| line.starts_with("content-type:") && line.contains("application/sdp"));
        let content = part.get(split + 4..)?;
        is_sdp.then(|| content.strip_suffix(b"\r\n").unwrap_or(content))
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
