//! What the stack's parser drops without a word or reads wrongly, put right before it: unknown methods are
//! answered 501, other versions 505, broken requests 400, a missing Content-Length is filled in (RFC 3261 18.3).
//! Not here: requests that parse; nothing in this file knows calls.

use crate::message::headers;
use rsipstack::sip::{Method, Uri};
use std::fmt::Write as _;

/// What becomes of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// To the stack; the length may have changed.
    Pass(usize),
    /// A response for the sender.
    Answer(Vec<u8>),
    /// Nothing that could be answered.
    Drop(&'static str),
}

/// Looks at the first `length` bytes of `buf`, mends them in place where the RFC says how.
pub(crate) fn inspect(buf: &mut [u8], length: usize, user_agent: &str) -> Verdict {
    let length = length.min(buf.len());
    let Some(text) = buf.get(..length) else { return Verdict::Drop("empty") };
    if text.iter().all(u8::is_ascii_whitespace) {
        return Verdict::Pass(length); // a keep-alive (RFC 5626 3.5.1), answered by the stack
    }
    // Empty lines before the start line are ignored (RFC 3261 7.5).
    let blank = text.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    buf.copy_within(blank..length, 0);
    let length = length - blank;
    let Some(head_bytes) = buf.get(..length).and_then(|text| find(text, b"\r\n\r\n")) else {
        return Verdict::Drop("no end of the headers");
    };
    let body_bytes = length - head_bytes - 4;
    // The parser loses every header after one that is not UTF-8.
    if let Some(head) = buf.get_mut(..head_bytes)
        && std::str::from_utf8(head).is_err()
    {
        head.iter_mut().filter(|b| !b.is_ascii()).for_each(|b| *b = b'?');
    }
    let Some(Ok(head)) = buf.get(..head_bytes).map(std::str::from_utf8) else { return Verdict::Drop("not text") };
    let head = Head::read(head);
    if head.value("Via", "v").is_none() {
        return Verdict::Drop("no Via: nobody knows who waits for an answer");
    }
    let declared = head.value("Content-Length", "l").map(|value| value.parse::<usize>());
    let is_request = !head.start.starts_with("SIP/");
    if is_request && let Err(refusal) = check_request(&head, declared.as_ref(), body_bytes) {
        return head.answer(refusal, user_agent);
    }
    match declared {
        Some(Ok(declared)) if declared <= body_bytes => Verdict::Pass(length),
        Some(_) => Verdict::Drop("a response with a wrong Content-Length"),
        // UDP: the body goes to the end of the datagram (RFC 3261 20.14).
        None if body_bytes == 0 => Verdict::Pass(length),
        None => insert_content_length(buf, head_bytes, length, body_bytes),
    }
}

/// Code and reason of the answer to a request that must not reach the stack.
struct Refusal(u16, &'static str);

fn check_request(
    head: &Head<'_>,
    declared: Option<&Result<usize, std::num::ParseIntError>>,
    body_bytes: usize,
) -> Result<(), Refusal> {
    let mut words = head.start.split(' ');
    let (Some(method), Some(uri), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal(400, "Malformed Request Line"));
    };
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(Refusal(505, "Version Not Supported"));
    }
    let scheme = uri.split(':').next().unwrap_or_default();
    if !["sip", "sips", "tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(Refusal(416, "Unsupported URI Scheme"));
    }
    if Method::try_from(method).is_err() {
        return Err(Refusal(501, "Not Implemented"));
    }
    if Uri::try_from(uri).is_err() {
        return Err(Refusal(400, "Malformed Request URI"));
    }
    match declared {
        Some(Ok(declared)) if *declared > body_bytes => return Err(Refusal(400, "Content-Length Beyond The Message")),
        Some(Err(_)) => return Err(Refusal(400, "Malformed Content-Length")),
        _ => {}
    }
    let cseq_method = head.value("CSeq", "CSeq").and_then(|cseq| cseq.split_ascii_whitespace().nth(1));
    if !cseq_method.is_some_and(|named| named.eq_ignore_ascii_case(method)) {
        return Err(Refusal(400, "CSeq And Method Differ"));
    }
    let tagged = |value: Option<&str>| value.is_some_and(|v| v.to_ascii_lowercase().contains("tag="));
    if !tagged(head.value("From", "f")) {
        return Err(Refusal(400, "From Without Tag"));
    }
    if head.value("To", "t").is_none() || head.value("Call-ID", "i").is_none() {
        return Err(Refusal(400, "Missing To Or Call-ID"));
    }
    Ok(())
}

/// Writes `Content-Length: n` before the empty line.
fn insert_content_length(buf: &mut [u8], head_bytes: usize, length: usize, body_bytes: usize) -> Verdict {
    let line = format!("\r\nContent-Length: {body_bytes}");
    let new_length = length + line.len();
    if new_length > buf.len() {
        return Verdict::Drop("too long without a Content-Length");
    }
    buf.copy_within(head_bytes..length, head_bytes + line.len());
    if let Some(gap) = buf.get_mut(head_bytes..head_bytes + line.len()) {
        gap.copy_from_slice(line.as_bytes());
    }
    Verdict::Pass(new_length)
}

/// Start line and header lines, borrowed; folded lines stay with their header.
struct Head<'a> {
    start: &'a str,
    headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Head<'a> {
    fn read(text: &'a str) -> Self {
        let (start, mut rest) = text.split_once("\r\n").unwrap_or((text, ""));
        let mut headers = Vec::new();
        while !rest.is_empty() {
            let end = end_of_header(rest);
            let line = rest.get(..end).unwrap_or(rest);
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.trim(), value.trim()));
            }
            rest = rest.get(end + 2..).unwrap_or("");
        }
        Self { start: start.trim_end(), headers }
    }

    fn value(&self, name: &str, compact: &str) -> Option<&'a str> {
        let named = |header: &str| header.eq_ignore_ascii_case(name) || header.eq_ignore_ascii_case(compact);
        self.headers.iter().find(|(header, _)| named(header)).map(|(_, value)| *value)
    }

    /// The response, or nothing for an ACK (RFC 3261 17.1.1.3).
    fn answer(&self, Refusal(code, reason): Refusal, user_agent: &str) -> Verdict {
        if self.start.get(..4).is_some_and(|method| method.eq_ignore_ascii_case("ACK ")) {
            return Verdict::Drop("a malformed ACK");
        }
        let mut text = format!("SIP/2.0 {code} {reason}\r\n");
        const COPIED: [(&str, &str); 5] =
            [("Via", "v"), ("From", "f"), ("To", "t"), ("Call-ID", "i"), ("CSeq", "CSeq")];
        for (name, compact) in COPIED {
            let named = |header: &str| header.eq_ignore_ascii_case(name) || header.eq_ignore_ascii_case(compact);
            for (_, value) in self.headers.iter().filter(|(header, _)| named(header)) {
                let needs_tag = name == "To" && !value.to_ascii_lowercase().contains("tag=");
                let tag = if needs_tag { ";tag=stateless" } else { "" };
                // Writing to a String cannot fail.
                let _ = write!(text, "{name}: {value}{tag}\r\n");
            }
        }
        let allow = headers::ALLOW;
        let _ = write!(text, "Allow: {allow}\r\nUser-Agent: {user_agent}\r\nContent-Length: 0\r\n\r\n");
        Verdict::Answer(text.into_bytes())
    }
}

/// Where a header ends: at a line end that no white space follows (RFC 3261 7.3.1).
fn end_of_header(text: &str) -> usize {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("\r\n")) {
        let end = from + at;
        if !matches!(text.as_bytes().get(end + 2), Some(b' ' | b'\t')) {
            return end;
        }
        from = end + 2;
    }
    text.len()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
