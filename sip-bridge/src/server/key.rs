//! What names a server transaction (RFC 3261 17.2.3).
//! Not here: what is known of it (`table`).

use crate::message::headers;
use crate::message::via::TopVia;
use rsipstack::sip::{HeadersExt, Method, Request};
use std::fmt::{self, Display, Formatter, Write as _};
use std::sync::Arc;

/// The same for a request, its repetitions, its CANCEL, and the ACK of a refusal. Call-ID and CSeq tell those apart that
/// give no branch, or the same to everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(Arc<str>);

impl Key {
    /// `None` when Via, Call-ID or CSeq cannot be read.
    pub fn of(request: &Request) -> Option<Self> {
        let via = TopVia::of(request)?;
        let call_id = request.call_id_header().ok()?.value();
        let cseq = headers::cseq(&request.headers)?;
        let method = match request.method {
            Method::Ack | Method::Cancel => Method::Invite,
            method => method,
        };
        let mut key = String::with_capacity(call_id.len() + 120);
        // Writing to a String cannot fail.
        let _ = write!(key, "{method} {cseq}");
        for part in [call_id, via.branch(), via.sent_by()] {
            key.push(' ');
            key.push_str(part);
        }
        Some(Self(key.into()))
    }

    /// Of the request, not of its CANCEL or ACK.
    pub fn method(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
