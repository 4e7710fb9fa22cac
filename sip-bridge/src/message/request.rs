//! Building requests, inside a dialog and out (RFC 3261 8.1.1, 12.2.1.1).
//! Not here: the dialog's state, and the way the request takes.

use super::headers::{self, plain, quoted};
use super::uri::Protocol;
use rsipstack::sip::{
    CSeq, CallId, Contact, ContentLength, From, Header, MaxForwards, Method, Request, Route, Scheme, To, Uri, Version,
    Via,
};
use rsipstack::transaction::random_text;
use std::net::SocketAddr;

/// What a request is made of.
pub(crate) struct Draft<'a> {
    pub method: Method,
    pub uri: Uri,
    /// Header values with their tags.
    pub from: &'a str,
    pub to: &'a str,
    pub call_id: &'a str,
    pub cseq: u32,
    pub routes: &'a [String],
    pub protocol: Protocol,
    pub local: SocketAddr,
    pub user_agent: &'a str,
    pub body: Option<(&'a str, Vec<u8>)>,
}

impl Draft<'_> {
    pub fn build(self) -> Request {
        let method = self.method;
        let mut headers = vec![via(self.protocol, self.local), Header::MaxForwards(MaxForwards::new("70"))];
        headers.extend(self.routes.iter().map(|route| Header::Route(Route::new(format!("<{route}>")))));
        headers.extend([
            Header::From(From::new(self.from)),
            Header::To(To::new(self.to)),
            Header::CallId(CallId::new(self.call_id)),
            Header::CSeq(CSeq::new(format!("{} {method}", self.cseq))),
        ]);
        // Target refresh requests (RFC 3261 12.2, RFC 3311 5.1).
        if matches!(method, Method::Invite | Method::Update) {
            headers.push(Header::Contact(Contact::new(contact(self.local, self.protocol, is_secure(&self.uri)))));
            headers.push(plain("Allow", headers::ALLOW));
            headers.push(plain("Supported", headers::SUPPORTED.join(", ")));
        }
        headers.push(plain("User-Agent", self.user_agent));
        let body = match self.body {
            Some((content_type, body)) => {
                headers.push(plain("Content-Type", content_type));
                body
            }
            None => Vec::new(),
        };
        headers.push(Header::ContentLength(ContentLength::new(body.len().to_string())));
        Request { method, uri: self.uri, version: Version::V2, headers: headers.into(), body }
    }
}

/// Our Via, with a new branch (RFC 3261 8.1.1.7) and `rport` (RFC 3581).
fn via(protocol: Protocol, local: SocketAddr) -> Header {
    let value = format!("SIP/2.0/{} {local};branch=z9hG4bK{};rport", protocol.token(), random_text(16));
    Header::Via(Via::new(value))
}

/// The request once more, as a new transaction: after a challenge or a redirection (RFC 3261 8.1.3.4, 22.2).
pub(crate) fn again(request: &Request, cseq: u32, protocol: Protocol, local: SocketAddr) -> Request {
    let mut request = request.clone();
    let method = request.method;
    for header in request.headers.iter_mut() {
        match header {
            Header::Via(_) => *header = via(protocol, local),
            Header::CSeq(_) => *header = Header::CSeq(CSeq::new(format!("{cseq} {method}"))),
            Header::Contact(_) => {
                *header = Header::Contact(Contact::new(contact(local, protocol, is_secure(&request.uri))));
            }
            _ => {}
        }
    }
    request
}

/// Whether a request is for a `sips:` URI: our Contact must be one then (RFC 3261 8.1.1.8, 12.1.1).
fn is_secure(uri: &Uri) -> bool {
    uri.scheme == Some(Scheme::Sips)
}

/// Our Contact: the address we listen on, by the transport the dialog uses (RFC 3261 8.1.1.8).
pub(crate) fn contact(local: SocketAddr, protocol: Protocol, secure: bool) -> String {
    match protocol {
        _ if secure => format!("<sips:{local}>"),
        Protocol::Tls => format!("<sip:{local};transport=tls>"),
        Protocol::Udp => format!("<sip:{local}>"),
        Protocol::Tcp => format!("<sip:{local};transport=tcp>"),
    }
}

/// CANCEL of an INVITE: same request URI, Call-ID, From, To, CSeq number, Route and top Via (RFC 3261 9.1).
/// `reason` is the text of a Reason header (RFC 3326).
pub(crate) fn cancel(invite: &Request, reason: Option<&str>, user_agent: &str) -> Request {
    let mut first_via = true;
    let mut headers: Vec<Header> = invite
        .headers
        .iter()
        .filter(|h| match h {
            Header::Via(_) => std::mem::take(&mut first_via),
            Header::From(_) | Header::To(_) | Header::CallId(_) | Header::Route(_) | Header::MaxForwards(_) => true,
            _ => false,
        })
        .cloned()
        .collect();
    let cseq = headers::cseq(&invite.headers).unwrap_or_default();
    headers.push(Header::CSeq(CSeq::new(format!("{cseq} CANCEL"))));
    if let Some(reason) = reason {
        headers.push(plain("Reason", format!("SIP;cause=487;text={}", quoted(reason))));
    }
    headers.push(plain("User-Agent", user_agent));
    headers.push(Header::ContentLength(ContentLength::new("0")));
    Request {
        method: Method::Cancel,
        uri: invite.uri.clone(),
        version: Version::V2,
        headers: headers.into(),
        body: Vec::new(),
    }
}
