//! Which URLs a customer may have their events sent to.
//! Outside dev: https, a public name or address, no credentials in it.

use std::net::IpAddr;

use thiserror::Error;
use url::{Host, Url};

/// Why a URL is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WebhookUrlError {
    #[error("{0:?} is no URL")]
    Malformed(String),
    #[error("a webhook goes to https")]
    Scheme,
    #[error("a webhook's URL has no user name or password")]
    Credentials,
    #[error("{0:?} is not a public address")]
    Private(String),
    #[error("a webhook's URL has at most {MAX_BYTES} bytes")]
    Length,
}

const MAX_BYTES: usize = 2048;

/// Names that never lead to the public internet.
const PRIVATE_SUFFIXES: [&str; 5] = ["localhost", "local", "internal", "home.arpa", "localdomain"];

/// Checks a URL. In dev (`anywhere`) plain http to this machine is fine.
///
/// # Errors
/// [`WebhookUrlError`]: the first thing that was wrong.
pub fn check(text: &str, anywhere: bool) -> Result<Url, WebhookUrlError> {
    if text.len() > MAX_BYTES {
        return Err(WebhookUrlError::Length);
    }
    let url = Url::parse(text).map_err(|_| WebhookUrlError::Malformed(text.to_owned()))?;
    if url.scheme() != "https" && !(anywhere && url.scheme() == "http") {
        return Err(WebhookUrlError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(WebhookUrlError::Credentials);
    }
    let private = || WebhookUrlError::Private(url.host_str().unwrap_or_default().to_owned());
    let public = match url.host().ok_or_else(private)? {
        Host::Domain(name) => is_public_name(name),
        Host::Ipv4(address) => is_public(IpAddr::V4(address)),
        Host::Ipv6(address) => is_public(IpAddr::V6(address)),
    };
    if public || anywhere { Ok(url.clone()) } else { Err(private()) }
}

fn is_public_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let name = name.as_str();
    let ends = |suffix: &&str| name == *suffix || name.ends_with(&format!(".{suffix}"));
    name.contains('.') && !PRIVATE_SUFFIXES.iter().any(ends)
}

/// Neither of this machine, nor of a private network, nor of a link, nor kept for something else (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(v6) => {
            // An IPv4 address in IPv6's clothes is what it is inside.
            if let Some(v4) = v6.to_ipv4() {
                return is_public(IpAddr::V4(v4));
            }
            let [first, second, ..] = v6.segments();
            // Global unicast, less documentation, 6to4, Teredo and NAT64, which may lead anywhere.
            first & 0xe000 == 0x2000 && first != 0x2002 && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
        }
    }
}

#[cfg(test)]
mod tests;
