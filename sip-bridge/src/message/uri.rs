//! Where a SIP URI points: host, port, transport (RFC 3261 19.1, RFC 3263 4), and the stack's own URI type.
//! Not here: opening the way there (`transport`).

use rsipstack::sip::Uri;
use std::net::{IpAddr, SocketAddr};

/// Transport of the next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    #[default]
    Udp,
    Tcp,
    /// TLS over TCP.
    Tls,
}

impl Protocol {
    /// As Via and Contact write it.
    pub(crate) fn token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
}

/// Host, port and transport of a `sip:` or `sips:` URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hop {
    pub host: String,
    pub port: u16,
    pub protocol: Protocol,
    /// Loose router: the URI stays in Route and the request URI is left alone (RFC 3261 16.12).
    pub loose: bool,
    /// The URI has a `transport` parameter.
    pub named: bool,
}

impl Hop {
    /// Reads `sip:user@host:port;transport=tcp;lr`; `None` for other schemes. `sips:` is TLS (RFC 3261 26.2.2).
    pub fn of(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.trim().split_once(':')?;
        let secure = scheme.eq_ignore_ascii_case("sips");
        if !secure && !scheme.eq_ignore_ascii_case("sip") {
            return None;
        }
        let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
        // The user part may hold semicolons, so it goes first.
        let rest = rest.rsplit_once('@').map_or(rest, |(_, after)| after);
        let (host_port, params) = rest.split_once(';').unwrap_or((rest, ""));
        let param = |name: &str| {
            params.split(';').find_map(|param| {
                let (key, value) = param.split_once('=').unwrap_or((param, ""));
                key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
            })
        };
        let transport = param("transport").map(str::to_ascii_lowercase);
        let protocol = match (transport.as_deref(), secure) {
            (Some("tls"), _) | (Some("tcp") | None, true) => Protocol::Tls,
            (Some("tcp"), false) => Protocol::Tcp,
            (Some("udp") | None, false) => Protocol::Udp,
            _ => return None,
        };
        let (host, port) = split_port(host_port, if protocol == Protocol::Tls { 5061 } else { 5060 })?;
        // `maddr` overrides the host (RFC 3261 19.1.1).
        let host = param("maddr").filter(|m| !m.is_empty()).unwrap_or(host).to_owned();
        Some(Self { host, port, protocol, loose: param("lr").is_some(), named: transport.is_some() })
    }

    /// Whether the URI leaves the transport to us.
    pub fn is_default(&self) -> bool {
        self.protocol == Protocol::Udp && !self.named
    }

    /// The socket address; a name is looked up.
    pub async fn resolve(&self) -> Option<SocketAddr> {
        match self.host.parse::<IpAddr>() {
            Ok(ip) => Some(SocketAddr::new(ip, self.port)),
            Err(_) => tokio::net::lookup_host((self.host.as_str(), self.port)).await.ok()?.next(),
        }
    }
}

fn split_port(host_port: &str, default: u16) -> Option<(&str, u16)> {
    let host_port = host_port.trim();
    let (host, port) = match host_port.strip_prefix('[') {
        Some(v6) => {
            let (host, after) = v6.split_once(']')?;
            (host, after.strip_prefix(':'))
        }
        None => match host_port.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host_port, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok()?,
        None => default,
    };
    (!host.is_empty()).then_some((host, port))
}

/// The stack's URI. It escapes the user part when it writes, and does not undo the escapes when it reads,
/// so they are undone here: `a%20b` would go out as `a%2520b`.
pub(crate) fn stack_uri(text: &str) -> Option<Uri> {
    if text.bytes().any(|b| b.is_ascii_control() || b == b' ') {
        return None;
    }
    let mut uri = Uri::try_from(text).ok()?;
    if let Some(auth) = uri.auth.as_mut()
        && let Some(user) = percent_decode(&auth.user)
    {
        auth.user = user;
    }
    Some(uri)
}

/// Whether a call could go to this URI, and whether it can stand in angle brackets.
pub(crate) fn callable(uri: &str) -> bool {
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
    let known = ["sip", "sips", "tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    known && !uri.contains(['<', '>']) && stack_uri(uri).is_some()
}

/// Undoes `%20` and the like; `None` when that gives no text.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}
