//! Client addresses: what counts as one client, and which addresses a list allows.
//! Where the address of a request comes from is in the thin layer above.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};
use thiserror::Error;

/// An entry of an allow-list that is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is neither an IP address nor a CIDR network")]
pub struct NotANetwork(pub String);

/// Addresses and networks requests may come from. An empty list allows all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    networks: Vec<IpNet>,
}

// === impl AllowList ===

impl AllowList {
    /// From entries such as `192.0.2.1`, `2001:db8::/32`.
    ///
    /// # Errors
    /// The first entry that is neither.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, NotANetwork> {
        let networks = entries.into_iter().map(network).collect::<Result<_, _>>()?;
        Ok(Self { networks })
    }

    /// Whether a request from `address` may pass. What is no address passes an empty list only.
    pub fn allows(&self, address: &str) -> bool {
        self.networks.is_empty()
            || address.parse::<IpAddr>().is_ok_and(|address| {
                let address = address.to_canonical();
                self.networks.iter().any(|network| network.contains(&address))
            })
    }
}

fn network(entry: &str) -> Result<IpNet, NotANetwork> {
    let not = || NotANetwork(entry.to_owned());
    match entry.parse::<IpNet>() {
        Ok(network) => Ok(network),
        Err(_) => entry.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical())).map_err(|_| not()),
    }
}

/// What is counted as one client: an IPv4 address, or the /64 an IPv6 customer has to themselves (RFC 6177).
pub fn client(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(IpAddr::V6(address)) => match Ipv6Net::new(address, 64) {
            Ok(network) => network.trunc().to_string(),
            Err(_) => address.to_string(),
        },
        Err(_) => address.chars().take(64).collect(),
    }
}

#[cfg(test)]
mod tests;
