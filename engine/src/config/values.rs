//! Values as they are written in settings: keys that do not show themselves, ranges of ports and of addresses.
//! Which setting holds which is in `config` itself.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A key that does not show itself in logs or dumps.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiKey(pub String);

/// First and last port, written `20000-39999`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange(pub(super) RangeInclusive<u16>);

/// IP addresses, written `10.0.0.0/8`, or one of them, `10.0.0.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRange(pub IpNet);

// === impl ApiKey ===

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "set" })
    }
}

// === impl PortRange ===

impl TryFrom<String> for PortRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let expected = || format!("{text:?} is no port range like \"20000-39999\"");
        let (first, last) = text.split_once('-').ok_or_else(expected)?;
        let port = |p: &str| p.trim().parse::<u16>().map_err(|_| expected());
        let (first, last) = (port(first)?, port(last)?);
        if first < 1024 || last <= first { Err(expected()) } else { Ok(Self(first..=last)) }
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> Self {
        format!("{}-{}", range.0.start(), range.0.end())
    }
}

// === impl AddressRange ===

impl TryFrom<String> for AddressRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let range = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        range.map(Self).map_err(|_| format!("{text:?} is no IP address and no range like \"10.0.0.0/8\""))
    }
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> Self {
        range.0.to_string()
    }
}
