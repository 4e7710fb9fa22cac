//! What SIP is told: TLS, callers who must say who they are, who vouches for their numbers, how long a session lives.
//! Not here: where plain SIP is listened on (`sip` itself), and what is done with any of it, which `sip-bridge` does.

use super::{ApiKey, ConfigError, fronts_on_this_machine};
use crate::config::AddressRange;
use serde::{Deserialize, Serialize};
use sip_bridge::{Credentials, DigestConfig, PreferredRefresher, SessionTimers, TlsConfig};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// SIP over TLS. Without a certificate there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SipTlsConfig {
    /// Address TLS is listened on.
    pub listen: SocketAddr,
    /// PEM: the node's certificate and those between it and its root.
    pub certificate: PathBuf,
    /// PEM: its key.
    pub key: PathBuf,
    /// PEM: whose certificates callers must have. Empty: callers need none.
    pub client_roots: PathBuf,
    /// PEM: whose certificates servers must have that the node calls. Empty: the system's.
    pub server_roots: PathBuf,
}

/// Callers who are challenged. Without users nobody is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SipDigestConfig {
    /// The realm named in challenges.
    pub realm: String,
    /// Names and passwords.
    pub users: BTreeMap<String, ApiKey>,
    /// Who is not challenged: fronts that know who calls.
    pub trusted: Vec<AddressRange>,
}

/// How long sessions live without a sign of life (RFC 4028).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SipSessionConfig {
    /// What we ask for, seconds; half of it lies between two refreshes.
    pub expires_s: u32,
    /// The least we accept, seconds; less is answered 422.
    pub min_se_s: u32,
    pub refresher: Refresher,
}

/// Who refreshes, where it is ours to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refresher {
    #[default]
    Either,
    Us,
    Them,
}

/// The least that RFC 4028 section 5 allows, and a day, seconds.
const SESSION_S: std::ops::RangeInclusive<u32> = 90..=24 * 3600;

/// Callers' numbers that are vouched for (STIR/SHAKEN). Without roots nothing is verified.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SipIdentityConfig {
    pub policy: IdentityPolicy,
    /// PEM: certificates of the authorities that are trusted.
    pub roots: PathBuf,
    /// Addresses certificates are fetched from though they are not public.
    pub local_repositories: Vec<AddressRange>,
}

/// What becomes of the result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityPolicy {
    Off,
    /// It is told: to the edge, the agent and the call's record.
    #[default]
    Tag,
    /// And a call nobody vouches for is refused.
    Require,
}

impl Default for SipTlsConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 5071)),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            client_roots: PathBuf::new(),
            server_roots: PathBuf::new(),
        }
    }
}

impl SipTlsConfig {
    /// As the endpoint takes it; `None` where there is no certificate.
    pub fn endpoint(&self) -> Option<TlsConfig> {
        let named = |path: &Path| (!path.as_os_str().is_empty()).then(|| path.to_owned());
        Some(TlsConfig {
            listen: self.listen,
            certificate: named(&self.certificate)?,
            key: self.key.clone(),
            client_roots: named(&self.client_roots),
            server_roots: named(&self.server_roots),
        })
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.listen.ip().is_unspecified() { Err(ConfigError::Unspecified("sip_tls.listen")) } else { Ok(()) }
    }
}

impl Default for SipSessionConfig {
    fn default() -> Self {
        Self { expires_s: 1800, min_se_s: 90, refresher: Refresher::default() }
    }
}

impl SipSessionConfig {
    /// As the endpoint takes it.
    pub fn endpoint(&self) -> SessionTimers {
        SessionTimers {
            expires: Duration::from_secs(self.expires_s.into()),
            min_se: Duration::from_secs(self.min_se_s.into()),
            refresher: match self.refresher {
                Refresher::Either => PreferredRefresher::Either,
                Refresher::Us => PreferredRefresher::Us,
                Refresher::Them => PreferredRefresher::Them,
            },
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (name, value) in [("expires_s", self.expires_s), ("min_se_s", self.min_se_s)] {
            if !SESSION_S.contains(&value) {
                return Err(ConfigError::SessionTime { name, value });
            }
        }
        if self.min_se_s > self.expires_s {
            return Err(ConfigError::SessionTime { name: "min_se_s", value: self.min_se_s });
        }
        Ok(())
    }
}

impl SipIdentityConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let needs_roots = self.policy == IdentityPolicy::Require && self.roots.as_os_str().is_empty();
        if needs_roots { Err(ConfigError::NoIdentityRoots) } else { Ok(()) }
    }
}

impl Default for SipDigestConfig {
    fn default() -> Self {
        Self { realm: "tandem".to_owned(), users: BTreeMap::new(), trusted: fronts_on_this_machine() }
    }
}

impl SipDigestConfig {
    /// As the endpoint takes it; `None` where there are no users.
    pub fn endpoint(&self) -> Option<DigestConfig> {
        let users: Vec<Credentials> = self
            .users
            .iter()
            .map(|(user, password)| Credentials {
                user: user.clone(),
                password: password.0.clone().into(),
                realm: None,
            })
            .collect();
        let trusted = self.trusted.iter().map(|range| range.0).collect();
        (!users.is_empty()).then(|| DigestConfig { realm: self.realm.clone(), users, trusted })
    }
}
