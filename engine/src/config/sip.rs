//! How SIP is secured: TLS, and callers who must say who they are.
//! Not here: where plain SIP is listened on (`sip` itself), and what is done with any of it, which `sip-bridge` does.

use super::{ApiKey, ConfigError, fronts_on_this_machine};
use crate::config::AddressRange;
use serde::{Deserialize, Serialize};
use sip_bridge::{Credentials, DigestConfig, TlsConfig};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

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
