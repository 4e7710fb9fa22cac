//! Which URLs lead to this machine and nowhere else.
//! What is allowed there is `settings`'.

use url::{Host, Url};

/// Whether a URL's host is a loopback address (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3) or `localhost`
/// (RFC 6761 section 6.3).
pub fn is_loopback(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests;
