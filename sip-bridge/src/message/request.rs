//! Building requests, inside a dialog and out (RFC 3261 8.1.1, 12.2.1.1).
//! Not here: the dialog's state, and the way the request takes.

use super::headers::{self, plain};
use super::uri::Protocol;
use rsipstack::sip::{
    CSeq, CallId, Contact, ContentLength, From, Header, MaxForwards, Method, Request, Route, To, Uri, Version, Via,
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
        let via = format!("SIP/2.0/{} {};branch=z9hG4bK{};rport", self.protocol.token(), self.local, random_text(16));
        let mut headers = vec![Header::Via(Via::new(via)), Header::MaxForwards(MaxForwards::new("70"))];
        headers.extend(self.routes.iter().map(|route| Header::Route(Route::new(format!("<{route}>")))));
        headers.extend([
            Header::From(From::new(self.from)),
            Header::To(To::new(self.to)),
            Header::CallId(CallId::new(self.call_id)),
            Header::CSeq(CSeq::new(format!("{} {method}", self.cseq))),
        ]);
        if matches!(method, Method::Invite) {
            headers.push(Header::Contact(Contact::new(contact(self.local, self.protocol))));
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

/// Our Contact: the address we listen on, by the transport the dialog uses (RFC 3261 8.1.1.8).
pub(crate) fn contact(local: SocketAddr, protocol: Protocol) -> String {
    match protocol {
        Protocol::Udp => format!("<sip:{local}>"),
        Protocol::Tcp => format!("<sip:{local};transport=tcp>"),
    }
}

/// CANCEL of an INVITE: same request URI, Call-ID, From, To, CSeq number, Route and top Via (RFC 3261 9.1).
pub(crate) fn cancel(invite: &Request, user_agent: &str) -> Request {
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
