//! Building responses (RFC 3261 8.2.6).
//! Not here: which response a request deserves.

use super::address::Address;
use super::headers::{self, one_line, plain, quoted};
use crate::Rejection;
use rsipstack::sip::{ContentLength, Header, Headers, Request, Response, StatusCode, Timestamp, To, Version};
use std::fmt::Write as _;
use std::time::Duration;

/// Room for the headers that a response has as a rule.
const HEAD_BYTES: usize = 1024;

/// A response in the making.
pub(crate) struct Reply {
    pub code: u16,
    pub reason: Option<String>,
    pub headers: Vec<Header>,
    pub body: Option<(&'static str, Vec<u8>)>,
}

impl Reply {
    pub fn new(code: u16) -> Self {
        Self { code, reason: None, headers: Vec::new(), body: None }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(plain(name, value));
        self
    }

    /// Whole seconds, rounded up (RFC 3261 20.33).
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.header("Retry-After", seconds.to_string())
    }

    pub fn sdp(mut self, sdp: String) -> Self {
        self.body = Some(("application/sdp", sdp.into_bytes()));
        self
    }

    /// 420, naming what is not understood (RFC 3261 8.2.2.3).
    pub fn bad_extension(unsupported: &[String]) -> Self {
        Self::new(420).header("Unsupported", unsupported.join(", "))
    }

    /// 405; Allow says what would have been right and is in every response anyway.
    pub fn method_not_allowed() -> Self {
        Self::new(405)
    }

    /// 415, naming the one body type we read.
    pub fn unsupported_media_type() -> Self {
        Self::new(415).header("Accept", "application/sdp")
    }

    /// `agent` is the host and port of Warning's warn-agent.
    pub fn rejection(why: &Rejection, agent: &str) -> Self {
        let code = if (400..=699).contains(&why.code) { why.code } else { 500 };
        let mut reply = Self::new(code);
        reply.reason = why.reason.as_deref().map(one_line);
        if let Some(wait) = why.retry_after {
            reply = reply.retry_after(wait);
        }
        if let Some((code, text)) = &why.warning {
            let code = if (300..=399).contains(code) { *code } else { 399 };
            reply = reply.header("Warning", format!("{code} {agent} {}", quoted(text)));
        }
        reply
    }

    /// The message. `to_tag` is added where the request had none; 100 never carries one.
    pub fn build(self, request: &Request, to_tag: Option<&str>, user_agent: &str) -> Response {
        // A response that makes a dialog repeats the route (RFC 3261 12.1.1).
        let makes_dialog = self.code > 100 && self.code < 300;
        let to_tag = to_tag.filter(|_| self.code > 100);
        let copied = request.headers.iter().filter_map(|header| match header {
            Header::To(to) => Some(Header::To(to_tag.map_or_else(|| to.clone(), |tag| tagged(to, tag)))),
            Header::Via(_) | Header::From(_) | Header::CallId(_) | Header::CSeq(_) => Some(header.clone()),
            Header::RecordRoute(_) if makes_dialog => Some(header.clone()),
            Header::Timestamp(_) if self.code == 100 => Some(header.clone()),
            _ => None,
        });
        let mut headers = Headers::from(copied.collect::<Vec<_>>());
        headers.extend(self.headers);
        if self.code > 100 {
            headers.push(plain("Allow", headers::ALLOW));
            headers.push(plain("Supported", headers::SUPPORTED.join(", ")));
        }
        headers.push(plain("User-Agent", user_agent));
        let (content_type, body) = match self.body {
            Some((content_type, body)) => (Some(content_type), body),
            None => (None, Vec::new()),
        };
        if let Some(content_type) = content_type {
            headers.push(plain("Content-Type", content_type));
        }
        headers.push(Header::ContentLength(ContentLength::new(body.len().to_string())));
        Response { status_code: status(self.code, self.reason), wire_reason: None, version: Version::V2, headers, body }
    }
}

/// 100 to a request that came so long ago, which Timestamp tells (RFC 3261 8.2.6.1).
pub(crate) fn trying(request: &Request, user_agent: &str, after: Duration) -> Response {
    let mut response = Reply::new(100).build(request, None, user_agent);
    for header in response.headers.iter_mut() {
        if let Header::Timestamp(stamp) = header {
            let sent = stamp.value().split_ascii_whitespace().next().unwrap_or_default();
            *stamp = Timestamp::new(format!("{sent} {:.3}", after.as_secs_f64()));
        }
    }
    response
}

/// The response as it is sent (RFC 3261 7.2): what the stack's `to_bytes` writes, in a third of the time.
pub(crate) fn to_bytes(response: &Response) -> Vec<u8> {
    let mut text = String::with_capacity(HEAD_BYTES + response.body.len());
    let code = &response.status_code;
    // Writing to a String cannot fail.
    let _ = write!(text, "{} {} {}\r\n", response.version, code.code(), code.text());
    for header in response.headers.iter() {
        for part in [header.name(), ": ", header.value(), "\r\n"] {
            text.push_str(part);
        }
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(&response.body);
    bytes
}

/// To with our tag, where it has none.
fn tagged(to: &To, tag: &str) -> To {
    match Address::parse(to.value()) {
        Some(address) if address.tag().is_some() => to.clone(),
        _ => To::new(format!("{};tag={tag}", to.value().trim())),
    }
}

/// The stack writes its own phrase for the codes it knows; another phrase takes its catch-all variant.
/// Only final codes may do so: it takes an unknown 1xx or 2xx for a final refusal.
fn status(code: u16, reason: Option<String>) -> StatusCode {
    match reason {
        Some(reason) if code >= 300 && !reason.is_empty() => StatusCode::Other(code, reason),
        _ => StatusCode::from(code),
    }
}
