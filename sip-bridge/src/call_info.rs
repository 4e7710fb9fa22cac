//! What the INVITE said about a call: who, to whom, from where, and the headers an application may act on.
//! Not here: the SDP, and the dialog's own state (tags, route set, CSeq).

use crate::carrier::{Diversion, Party};
use std::net::SocketAddr;

/// The facts of the INVITE that made a call. The same on both sides: `from` is always the caller.
#[derive(Debug, Clone)]
pub struct CallInfo {
    /// The Call-ID header's value.
    pub sip_call_id: String,
    /// URI of the From header, without its parameters (tag).
    pub from: String,
    /// Display name of the From header, unquoted.
    pub from_display: Option<String>,
    /// URI of the To header, without its parameters (tag).
    pub to: String,
    /// The INVITE's request URI.
    pub request_uri: String,
    /// The hop the INVITE came from; for an outgoing call, the hop it went to.
    pub source: SocketAddr,
    /// Who the caller proved to be by digest; `None` where callers are not challenged, and for calls of ours.
    pub authenticated: Option<String>,
    /// P-Asserted-Identity, all of them. Worth as much as the hop they came from (RFC 3325 5).
    pub asserted: Vec<Party>,
    /// Where the call was sent on from, the last one first: Diversion (RFC 5806), or History-Info (RFC 7044).
    pub diversions: Vec<Diversion>,
    /// The first User-to-User header as it came, with its encoding and purpose (RFC 7433).
    pub user_to_user: Option<String>,
    /// Identity headers as they came (RFC 8224).
    pub identity: Vec<String>,
    /// Every `X-…` header, and P-Asserted-Identity, Diversion, History-Info, User-to-User, Subject, in order.
    pub headers: Vec<(String, String)>,
}
