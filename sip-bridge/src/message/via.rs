//! The top Via of a request: whose it is, and where it really came from (RFC 3261 18.2.1, 20.42, RFC 3581 4).
//! Not here: the Via of our own requests (`request`).

use memchr::{memchr, memchr2_iter};
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
        let (first, others) = value.split_at(end_of_hop(value.as_bytes()));
        let end = memchr(b';', first.as_bytes()).unwrap_or(first.len());
        let (hop, params) = first.split_at(end);
        let hop = hop.trim_ascii();
        let params = params.strip_prefix(';').unwrap_or_default();
        memchr(b' ', hop.as_bytes()).map(|_| Self { hop, params, others })
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
        let params = self.params.split(';').map(str::trim_ascii).filter(|param| !param.is_empty());
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

/// Whether we alone know what a parameter says.
fn is_ours(param: &str) -> bool {
    let name = param.split_once('=').map_or(param, |(name, _)| name);
    name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport")
}

/// Where the first comma stands that is not quoted.
fn end_of_hop(value: &[u8]) -> usize {
    let mut quoted = false;
    memchr2_iter(b',', b'"', value)
        .find(|&at| {
            let comma = value.get(at) == Some(&b',');
            quoted ^= !comma;
            comma && !quoted
        })
        .unwrap_or(value.len())
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
    let mut noted = String::with_capacity(via.hop.len() + via.params.len() + via.others.len() + 80);
    noted.push_str(via.hop);
    let params = via.params.split(';').map(str::trim_ascii);
    for param in params.filter(|param| !param.is_empty() && !is_ours(param)) {
        noted.push(';');
        noted.push_str(param);
    }
    // Writing to a String cannot fail.
    let _ = write!(noted, ";received={};rport={}{}", source.ip(), source.port(), via.others);
    if let Some(header) = request.headers.iter_mut().find(|header| matches!(header, Header::Via(_))) {
        *header = Header::Via(Via::new(noted));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(via: &str) -> Request {
        let text = format!("OPTIONS sip:b@b SIP/2.0\r\nVia: {via}\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n");
        Request::try_from(text.as_bytes()).expect("a request")
    }

    fn noted(via: &str, connected: bool) -> String {
        let mut request = request(via);
        assert!(note_source(&mut request, "192.0.2.9:6000".parse().expect("an address"), connected), "{via}");
        TopVia::of(&request).map(|via| format!("{};{}{}", via.hop, via.params, via.others)).unwrap_or_default()
    }

    #[test]
    fn a_source_that_the_via_names_is_noted_only_for_who_asks() {
        let right = "SIP/2.0/UDP 192.0.2.9:6000;branch=z9hG4bK1";
        assert_eq!(noted(right, false), right);
        assert_eq!(noted(&format!("{right};rport"), false), format!("{right};received=192.0.2.9;rport=6000"));
        // Whoever connects does so from any port.
        let connected = "SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK1";
        assert_eq!(noted(connected, true), connected);
    }

    #[test]
    fn another_source_is_noted_and_what_the_sender_says_of_it_is_not() {
        let source = "received=192.0.2.9;rport=6000";
        for (via, expected) in [
            ("SIP/2.0/UDP a.example;branch=1", format!("SIP/2.0/UDP a.example;branch=1;{source}")),
            ("SIP/2.0/UDP 192.0.2.9;branch=1;alias", format!("SIP/2.0/UDP 192.0.2.9;branch=1;alias;{source}")),
            (
                "SIP/2.0/UDP [2001:db8::1]:5060;received=1.2.3.4;branch=1",
                format!("SIP/2.0/UDP [2001:db8::1]:5060;branch=1;{source}"),
            ),
            (
                "SIP/2.0/UDP a;x=\"1,2\";branch=1, SIP/2.0/UDP b",
                format!("SIP/2.0/UDP a;x=\"1,2\";branch=1;{source}, SIP/2.0/UDP b"),
            ),
        ] {
            assert_eq!(noted(via, false), expected);
        }
    }

    proptest! {
        #[test]
        fn noting_a_source_twice_is_noting_it_once(via in "[ -~]{0,40}", connected: bool) {
            let mut request = request(&format!("SIP/2.0/UDP a;{via}"));
            let source = "[2001:db8::9]:5061".parse().expect("an address");
            prop_assert!(note_source(&mut request, source, connected));
            let once = request.clone();
            prop_assert!(note_source(&mut request, source, connected));
            prop_assert_eq!(request, once);
        }
    }
}
