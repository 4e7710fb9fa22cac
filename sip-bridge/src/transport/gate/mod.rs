//! What the stack's parser drops without a word or reads wrongly, put right before it: unknown methods are
//! answered 501, other versions 505, broken requests 400 (RFC 3261 8.2, 21.4.1), odd but legal spelling is made plain.
//! Not here: requests that parse; nothing in this folder knows calls.

mod head;
mod tidy;

pub(crate) use head::{Head, declared_length, end_of_head};

use crate::message::headers;
use rsipstack::sip::{Method, Uri};
use std::borrow::Cow;
use std::fmt::Write as _;

/// The largest CSeq number (RFC 3261 8.1.1.5).
const MAX_CSEQ: u32 = (1 << 31) - 1;

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// To the stack as it is.
    Pass,
    /// To the stack, spelled so that it is understood.
    Mended(Vec<u8>),
    /// A response for the sender.
    Answer(Vec<u8>),
    /// Nothing that could be answered.
    Drop(&'static str),
}

/// Looks at one whole message: a datagram, or what a stream's framing found.
pub(crate) fn inspect(bytes: &[u8], user_agent: &str) -> Verdict {
    // Empty lines before the start line are ignored (RFC 3261 7.5).
    let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let text = bytes.get(blank..).unwrap_or_default();
    let Some((head, body)) = head::split(text) else { return Verdict::Drop("no end of the headers") };
    // The parser loses every header after one that is not UTF-8.
    let readable = readable(head);
    let read = Head::read(&readable);
    let tidied = tidy::tidy(&readable, &read);
    let head = match &tidied {
        Cow::Borrowed(_) => read,
        Cow::Owned(plain) => Head::read(plain),
    };
    if head.value("Via", "v").is_none() {
        return Verdict::Drop("no Via: nobody knows who waits for an answer");
    }
    let declared = head.content_length();
    let is_request = !head.start.starts_with("SIP/");
    if is_request && let Err(refusal) = check_request(&head, &declared, body.len()) {
        return head.answer(refusal, user_agent);
    }
    let missing = match declared {
        Ok(Some(declared)) if declared > body.len() => return Verdict::Drop("a response cut short"),
        Err(_) => return Verdict::Drop("a response with a wrong Content-Length"),
        Ok(declared) => declared.is_none() && !body.is_empty(),
    };
    if blank == 0 && !missing && tidied.as_bytes() == text.get(..tidied.len()).unwrap_or_default() {
        return Verdict::Pass;
    }
    let mut mended = tidied.into_owned().into_bytes();
    if missing {
        // UDP: the body goes to the end of the datagram (RFC 3261 20.14).
        mended.extend_from_slice(format!("\r\nContent-Length: {}", body.len()).as_bytes());
    }
    mended.extend_from_slice(b"\r\n\r\n");
    mended.extend_from_slice(body);
    Verdict::Mended(mended)
}

/// The head as text; a byte that is none becomes `?`.
fn readable(head: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(head) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => head.iter().map(|&b| if b.is_ascii() { char::from(b) } else { '?' }).collect::<String>().into(),
    }
}

/// Code and reason of the answer to a request that must not reach the stack.
pub(super) struct Refusal(u16, &'static str);

fn check_request(
    head: &Head<'_>,
    declared: &Result<Option<usize>, head::BadLength>,
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
        Ok(Some(declared)) if *declared > body_bytes => return Err(Refusal(400, "Content-Length Beyond The Message")),
        Err(_) => return Err(Refusal(400, "Malformed Content-Length")),
        _ => {}
    }
    check_headers(head, method)
}

/// The headers every request has, once each (RFC 3261 8.1.1).
fn check_headers(head: &Head<'_>, method: &str) -> Result<(), Refusal> {
    let single = [("From", "f"), ("To", "t"), ("Call-ID", "i"), ("CSeq", "CSeq"), ("Max-Forwards", "Max-Forwards")];
    if single.iter().any(|(name, compact)| head.values(name, compact).nth(1).is_some()) {
        return Err(Refusal(400, "Header Field Repeated"));
    }
    let mut cseq = head.value("CSeq", "CSeq").unwrap_or_default().split_ascii_whitespace();
    let number = cseq.next().and_then(|number| number.parse::<u32>().ok());
    if number.is_none_or(|number| number > MAX_CSEQ) {
        return Err(Refusal(400, "Malformed CSeq"));
    }
    if !cseq.next().is_some_and(|named| named.eq_ignore_ascii_case(method)) {
        return Err(Refusal(400, "CSeq And Method Differ"));
    }
    let structured = [("Via", "v"), ("From", "f"), ("To", "t"), ("Contact", "m")];
    if structured.iter().flat_map(|(name, compact)| head.values(name, compact)).any(tidy::has_empty_parameter) {
        return Err(Refusal(400, "Empty Header Parameter"));
    }
    // Senders of RFC 2543 had none to give; nobody can tell their dialogs apart.
    if !head.value("From", "f").is_some_and(|from| from.to_ascii_lowercase().contains("tag=")) {
        return Err(Refusal(400, "From Without Tag"));
    }
    if head.value("To", "t").is_none() || head.value("Call-ID", "i").is_none() {
        return Err(Refusal(400, "Missing To Or Call-ID"));
    }
    Ok(())
}

impl Head<'_> {
    /// The response, or nothing for an ACK (RFC 3261 17.1.1.3).
    fn answer(&self, Refusal(code, reason): Refusal, user_agent: &str) -> Verdict {
        if self.start.get(..4).is_some_and(|method| method.eq_ignore_ascii_case("ACK ")) {
            return Verdict::Drop("a malformed ACK");
        }
        let mut text = format!("SIP/2.0 {code} {reason}\r\n");
        const COPIED: [(&str, &str); 5] =
            [("Via", "v"), ("From", "f"), ("To", "t"), ("Call-ID", "i"), ("CSeq", "CSeq")];
        for (name, compact) in COPIED {
            for value in self.values(name, compact) {
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
