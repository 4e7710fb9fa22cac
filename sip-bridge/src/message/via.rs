//! The top Via of a request: whose it is, and where it really came from (RFC 3261 18.2.1, 20.42, RFC 3581 4).
//! Not here: the Via of our own requests (`request`).

use rsipstack::sip::{Header, Request, Via};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// The port of whoever names none.
const SIP_PORT: u16 = 5060;

/// The first hop of a Via, borrowed from its header value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TopVia<'a> {
    /// Protocol and sent-by, as in `SIP/2.0/UDP 192.0.2.1:5060`.
    hop: &'a str,
    params: &'a str,
    /// The hops behind it, with their comma.
    others: &'a str,
}

impl<'a> TopVia<'a> {
    /// `None` when the request has no Via or nobody is named in it.
    pub fn of(request: &'a Request) -> Option<Self> {
        let value = request.headers.iter().find_map(|header| match header {
            Header::Via(via) => Some(via.value()),
            _ => None,
        })?;
        Self::parse(value)
    }

    fn parse(value: &'a str) -> Option<Self> {
        let mut quoted = false;
        let end = value.find(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        let (first, others) = value.split_at(end.unwrap_or(value.len()));
        let (hop, params) = first.split_once(';').unwrap_or((first, ""));
        let hop = hop.trim();
        hop.contains(' ').then_some(Self { hop, params, others })
    }

    /// Host and port of whoever sent the request, by its own account.
    pub fn sent_by(&self) -> &'a str {
        self.hop.rsplit(' ').next().unwrap_or_default()
    }

    /// What names the transaction; empty if the sender follows RFC 2543.
    pub fn branch(&self) -> &'a str {
        self.params().find(|(name, _)| name.eq_ignore_ascii_case("branch")).map_or("", |(_, value)| value)
    }

    fn params(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let params = self.params.split(';').map(str::trim).filter(|param| !param.is_empty());
        params.map(|param| param.split_once('=').unwrap_or((param, "")))
    }

    /// Whether the sender wants its responses at the port it sends from (RFC 3581 3).
    fn wants_rport(&self) -> bool {
        self.params().any(|(name, _)| name.eq_ignore_ascii_case("rport"))
    }

    fn host_and_port(&self) -> (&'a str, Option<u16>) {
        let sent_by = self.sent_by();
        let (host, port) = match sent_by.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()),
            _ => (sent_by, None),
        };
        (host.trim_start_matches('[').trim_end_matches(']'), port)
    }
}

/// Writes into a request's top Via where it really came from, where that is not what it says or the sender wants to know;
/// the port counts where the sender has no connection. False when there is no Via to be read.
pub(crate) fn note_source(request: &mut Request, source: SocketAddr, connected: bool) -> bool {
    let Some(via) = TopVia::of(request) else { return false };
    let (host, port) = via.host_and_port();
    let host_is_right = host.parse() == Ok::<IpAddr, _>(source.ip());
    let port_is_right = connected || port.unwrap_or(SIP_PORT) == source.port();
    if host_is_right && port_is_right && !via.wants_rport() {
        return true;
    }
    let mut noted = via.hop.to_owned();
    // Only we know these.
    let others =
        via.params().filter(|(name, _)| !["received", "rport"].iter().any(|ours| name.eq_ignore_ascii_case(ours)));
    for (name, value) in others {
        let equals = if value.is_empty() { "" } else { "=" };
        // Writing to a String cannot fail.
        let _ = write!(noted, ";{name}{equals}{value}");
    }
    let _ = write!(noted, ";received={};rport={}{}", source.ip(), source.port(), via.others);
    if let Some(header) = request.headers.iter_mut().find(|header| matches!(header, Header::Via(_))) {
        *header = Header::Via(Via::new(noted));
    }
    true
}
