//! Where a URL or an address leads: to this machine, or to the public Internet and nowhere else.
//! Who may go where is decided by whoever asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Looks names up, and finds addresses of the public Internet only: not those of the node's own network.
/// Whatever is checked is also what is connected to: a name that changes its mind gains nothing.
#[derive(Debug, Clone, Default)]
pub struct PublicInternet {
    /// Not public, and reached all the same.
    local: Arc<[IpNet]>,
}

// === impl PublicInternet ===

impl PublicInternet {
    /// And `local` ranges of addresses besides.
    pub fn and(local: Vec<IpNet>) -> Self {
        Self { local: local.into() }
    }

    pub fn is_local(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.local.iter().any(|range| range.contains(&ip))
    }

    fn has(&self, ip: IpAddr) -> bool {
        is_public(ip) || self.is_local(ip)
    }
}

impl Resolve for PublicInternet {
    fn resolve(&self, name: Name) -> Resolving {
        let reached = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.filter(|address| reached.has(address.ip())).collect();
            if found.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The address in a URL that has one in place of a name. It is not looked up, so that no resolver sees it.
pub fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok())
}

/// Of this machine: a proxy set in the environment is meant for the world outside.
pub fn is_loopback(url: &Url) -> bool {
    url.host_str() == Some("localhost") || literal(url).is_some_and(|ip| ip.is_loopback())
}

/// Reachable from anywhere, as far as the address tells (RFC 6890), and no way around that.
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmarks = a == 198 && (18..20).contains(&b);
    let protocols = (a, b, c) == (192, 0, 0);
    !(a == 0
        || a >= 224
        || shared
        || benchmarks
        || protocols
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation())
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    let global = a & 0xe000 == 0x2000;
    // Documentation, and Teredo and 6to4, which carry IPv4 addresses.
    let special = a == 0x2001 && matches!(b, 0 | 0xdb8) || a == 0x2002;
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for ip in ["8.8.8.8", "203.0.114.1", "2a00:1450:4001::8888"] {
            assert!(is_public(ip.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::1",
            "2002:a00:1::",
            "2001:db8::1",
            "ff02::1",
        ] {
            assert!(!is_public(ip.parse().unwrap_or(IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)))), "{ip}");
        }
    }
}
