//! The head of a message: where it ends, its start line and its headers (RFC 3261 7.3).
//! Not here: what is right about them (`gate`).

use memchr::{memchr, memchr_iter, memmem};

/// Room for as many headers is made at once.
const USUAL_HEADERS: usize = 16;

/// Why a message's length is not known: no number, or two that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadLength;

/// Start line and headers, borrowed; folded lines stay with their header.
pub(crate) struct Head<'a> {
    pub start: &'a str,
    headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Head<'a> {
    pub fn read(text: &'a str) -> Self {
        let (start, mut rest) = text.split_once("\r\n").unwrap_or((text, ""));
        let mut headers = Vec::with_capacity(USUAL_HEADERS);
        while !rest.is_empty() {
            let end = end_of_header(rest);
            let line = rest.get(..end).unwrap_or(rest);
            if let Some((name, value)) = memchr(b':', line.as_bytes()).and_then(|colon| line.split_at_checked(colon)) {
                headers.push((name.trim(), value.get(1..).unwrap_or("").trim()));
            }
            rest = rest.get(end + 2..).unwrap_or("");
        }
        Self { start: start.trim_end(), headers }
    }

    /// Every value of a header, by its name or its compact form.
    pub fn values(&self, name: &str, compact: &str) -> impl Iterator<Item = &'a str> {
        let named = move |header: &str| header.eq_ignore_ascii_case(name) || header.eq_ignore_ascii_case(compact);
        self.headers.iter().filter(move |(header, _)| named(header)).map(|(_, value)| *value)
    }

    pub fn value(&self, name: &str, compact: &str) -> Option<&'a str> {
        self.values(name, compact).next()
    }

    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.headers.iter().copied()
    }

    /// Bytes of the body; `None` if the sender does not say.
    pub fn content_length(&self) -> Result<Option<usize>, BadLength> {
        let mut lengths = self.values("Content-Length", "l").map(|value| value.parse().map_err(|_| BadLength));
        let Some(first) = lengths.next().transpose()? else { return Ok(None) };
        if lengths.any(|other| other != Ok(first)) { Err(BadLength) } else { Ok(Some(first)) }
    }
}

/// Bytes of the body that follows this head; a stream's message without Content-Length has none (RFC 3261 18.3).
pub(crate) fn declared_length(head: &[u8]) -> Result<usize, BadLength> {
    let text = String::from_utf8_lossy(head);
    Head::read(&text).content_length().map(Option::unwrap_or_default)
}

/// Head and body, apart.
pub(super) fn split(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let head_bytes = end_of_head(message)?;
    Some((message.get(..head_bytes)?, message.get(head_bytes + 4..)?))
}

/// Where the empty line begins that ends the headers.
pub(crate) fn end_of_head(message: &[u8]) -> Option<usize> {
    memmem::find(message, b"\r\n\r\n")
}

/// Where a header ends: at a line end that no white space follows (RFC 3261 7.3.1).
fn end_of_header(text: &str) -> usize {
    let bytes = text.as_bytes();
    memchr_iter(b'\n', bytes)
        .filter_map(|line_feed| line_feed.checked_sub(1))
        .find(|&end| bytes.get(end) == Some(&b'\r') && !matches!(bytes.get(end + 2), Some(b' ' | b'\t')))
        .unwrap_or(bytes.len())
}
