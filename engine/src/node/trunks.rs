//! Where a call goes that this node makes: a number or URI, through which trunk, with room there or not.
//! The call itself is `outbound`'s, what a trunk's settings mean is in `config`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use sip_bridge::{Credentials, OutgoingTarget, Protocol};
use thiserror::Error;

use super::admission::{CallCap, CallPlace};
use crate::config::{Dtmf, TrunkConfig, TrunkTransport};
use crate::control::bare_number;

/// How long a call without a trunk may ring.
const RING_TIMEOUT: Duration = Duration::from_secs(45);

/// Longest `to` and `from`, bytes.
const MAX_URI_BYTES: usize = 512;

/// The ways out of a node, and the calls that use them now.
pub struct Trunks {
    by_name: BTreeMap<String, Trunk>,
    /// Who calls where nobody says: `sip:tandem@` our SIP address.
    own: String,
}

struct Trunk {
    config: TrunkConfig,
    cap: CallCap,
}

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Request URI.
    pub uri: String,
    /// Our own URI.
    pub from: String,
    trunk: Option<String>,
    pub headers: Vec<(String, String)>,
    pub ring_timeout: Duration,
    /// How keys are pressed there; `None`: as in calls that come in.
    pub dtmf: Option<Dtmf>,
}

/// Why nobody can be called so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DestinationError {
    #[error("{field} {value:?} is neither a SIP URI nor a number")]
    BadUri { field: &'static str, value: String },
    #[error("there is no trunk {0:?}")]
    NoTrunk(String),
    #[error("a number needs a trunk: name one, or configure [trunks.default]")]
    NoWayOut,
}

/// Why a call cannot be sent off now.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WayOutError {
    #[error("the trunk {0:?} holds as many calls as it may")]
    Full(String),
    #[error("the proxy {proxy:?} of trunk {trunk:?} cannot be found: {why}")]
    Proxy { trunk: String, proxy: String, why: String },
}

// === impl Trunks ===

impl Trunks {
    /// `sip`: our own address.
    pub fn new(trunks: &BTreeMap<String, TrunkConfig>, sip: SocketAddr, node_calls: usize) -> Self {
        let by_name = trunks.iter().map(|(name, config)| {
            let most = if config.max_calls == 0 { node_calls } else { config.max_calls };
            (name.clone(), Trunk { config: config.clone(), cap: CallCap::new(most) })
        });
        Self { by_name: by_name.collect(), own: format!("sip:tandem@{sip}") }
    }

    /// A number goes through the named trunk, else the one whose numbers it is of, else the only one, else `default`. A SIP
    /// URI goes where it says, unless a trunk is named.
    ///
    /// # Errors
    /// [`DestinationError`] naming the value.
    pub fn find(&self, to: &str, from: Option<&str>, named: Option<&str>) -> Result<Destination, DestinationError> {
        let to = to.trim();
        let is_uri = is_sip_uri(to);
        let trunk = match named {
            Some(name) => {
                let (name, trunk) =
                    self.by_name.get_key_value(name).ok_or_else(|| DestinationError::NoTrunk(name.to_owned()))?;
                Some((name, &trunk.config))
            }
            None if is_uri => None,
            None => Some(self.fitting(to).or_else(|| self.usual()).ok_or(DestinationError::NoWayOut)?),
        };
        let bad = |field, value: &str| DestinationError::BadUri { field, value: value.to_owned() };
        let uri = match trunk {
            _ if is_uri => to.to_owned(),
            Some((_, trunk)) => with_user(&trunk.uri, &number(to).ok_or_else(|| bad("to", to))?),
            None => return Err(bad("to", to)),
        };
        let configured = trunk.map(|(_, trunk)| trunk.from.as_str()).filter(|from| !from.is_empty());
        let from = match from.or(configured) {
            None => self.own.clone(),
            Some(from) if is_sip_uri(from) => from.to_owned(),
            Some(from) => {
                let number = number(from).ok_or_else(|| bad("from", from))?;
                let host = trunk.map_or(self.own.as_str(), |(_, trunk)| &trunk.uri);
                // Where the trunk's own URI says how it is reached, that is nobody's name.
                with_user(host.split(';').next().unwrap_or(host), &number)
            }
        };
        let headers = trunk.map(|(_, trunk)| trunk.headers.clone().into_iter().collect()).unwrap_or_default();
        let ring_timeout = trunk.map_or(RING_TIMEOUT, |(_, t)| Duration::from_secs(t.ring_timeout_s.into()));
        let dtmf = trunk.map(|(_, trunk)| trunk.dtmf);
        Ok(Destination { uri, from, trunk: trunk.map(|(name, _)| name.clone()), headers, ring_timeout, dtmf })
    }

    /// A place in the trunk, and what sip-bridge needs to call.
    ///
    /// # Errors
    /// [`WayOutError`] if the trunk is full or its proxy has no address.
    pub async fn way_out(&self, to: &Destination) -> Result<(OutgoingTarget, Option<CallPlace>), WayOutError> {
        let mut target = OutgoingTarget::new(&to.uri, &to.from);
        target.headers.clone_from(&to.headers);
        let Some((name, trunk)) = to.trunk.as_ref().and_then(|name| self.by_name.get_key_value(name)) else {
            return Ok((target, None));
        };
        let place = trunk.cap.enter().ok_or_else(|| WayOutError::Full(name.clone()))?;
        target.protocol = match trunk.config.transport {
            TrunkTransport::Udp => Protocol::Udp,
            TrunkTransport::Tcp => Protocol::Tcp,
            TrunkTransport::Tls => Protocol::Tls,
        };
        if !trunk.config.username.is_empty() {
            target.credentials = Some(Credentials {
                user: trunk.config.username.clone(),
                password: trunk.config.password.0.clone().into(),
                realm: None,
            });
        }
        if !trunk.config.proxy.is_empty() {
            target.via = Some(address_of(name, &trunk.config.proxy).await?);
            let host = trunk.config.proxy.rsplit_once(':').map_or(trunk.config.proxy.as_str(), |(host, _)| host);
            target.server_name = Some(host.to_owned());
        }
        Ok((target, Some(place)))
    }

    /// Whether the carrier of this way joins two calls of ours by itself.
    pub fn take_replaces(&self, to: &Destination) -> bool {
        to.trunk.as_ref().and_then(|name| self.by_name.get(name)).is_some_and(|trunk| trunk.config.replaces)
    }

    /// The trunk with the longest beginning that fits a number.
    fn fitting(&self, to: &str) -> Option<(&String, &TrunkConfig)> {
        let number = bare_number(to.strip_prefix("tel:").unwrap_or(to));
        let fits = self.by_name.iter().filter_map(|(name, Trunk { config, .. })| {
            let fitting = config.numbers.iter().filter(|prefix| number.starts_with(prefix.as_str()));
            fitting.map(String::len).max().map(|length| (length, (name, config)))
        });
        fits.max_by_key(|(length, _)| *length).map(|(_, trunk)| trunk)
    }

    fn usual(&self) -> Option<(&String, &TrunkConfig)> {
        let only = (self.by_name.len() == 1).then(|| self.by_name.first_key_value()).flatten();
        only.or_else(|| self.by_name.get_key_value("default")).map(|(name, trunk)| (name, &trunk.config))
    }
}

async fn address_of(trunk: &str, proxy: &str) -> Result<SocketAddr, WayOutError> {
    let failed = |why: String| WayOutError::Proxy { trunk: trunk.to_owned(), proxy: proxy.to_owned(), why };
    let host = if proxy.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        proxy.to_owned()
    } else {
        format!("{proxy}:5060")
    };
    let mut found = tokio::net::lookup_host(host).await.map_err(|error| failed(error.to_string()))?;
    found.next().ok_or_else(|| failed("it has no address".to_owned()))
}

/// Whom `to` names: a SIP URI, or a number as it is dialled.
///
/// # Errors
/// [`DestinationError::BadUri`].
pub fn party(to: &str) -> Result<String, DestinationError> {
    let to = to.trim();
    let known = if is_sip_uri(to) { Some(to.to_owned()) } else { dialled_number(to) };
    known.ok_or_else(|| DestinationError::BadUri { field: "to", value: to.to_owned() })
}

/// A SIP URI that can stand between angle brackets.
fn is_sip_uri(text: &str) -> bool {
    let rest = text.strip_prefix("sip:").or_else(|| text.strip_prefix("sips:"));
    rest.is_some_and(|rest| !rest.is_empty() && text.len() <= MAX_URI_BYTES)
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c))
}

/// A number as it is dialled, or a plain user name of a PBX.
fn dialled_number(text: &str) -> Option<String> {
    let text = bare_number(text.strip_prefix("tel:").unwrap_or(text));
    let fits = !text.is_empty() && text.len() <= 64;
    let plain = |c: char| c.is_ascii_alphanumeric() || "+*#-_.".contains(c);
    (fits && text.chars().all(plain)).then_some(text)
}

/// The same in a URI's user part, which a hash sign ends unless it is escaped (RFC 3261 section 25.1).
fn number(text: &str) -> Option<String> {
    dialled_number(text).map(|number| number.replace('#', "%23"))
}

/// `uri` with another user part.
fn with_user(uri: &str, user: &str) -> String {
    let (scheme, rest) = uri.split_once(':').unwrap_or(("sip", uri));
    let host = rest.split_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}:{user}@{host}")
}

#[cfg(test)]
mod tests;
