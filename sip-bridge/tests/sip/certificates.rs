//! Certificates made on the spot: an authority, what it signs, and the files TLS reads.
//! Not here: anything that checks them.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use sip_bridge::TlsConfig;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use tempfile::TempDir;

/// Signs certificates, and keeps files for as long as it lives.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    directory: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        let directory = tempfile::tempdir().expect("a directory");
        // No two of the same name, as in life.
        params.distinguished_name.push(DnType::CommonName, directory.path().display().to_string());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem, directory }
    }

    /// A certificate for these names, and its key, as PEM.
    pub fn certificate(&self, names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(names.clone()).expect("names");
        params.distinguished_name.push(DnType::CommonName, names.join(" "));
        (params.signed_by(&key, &self.issuer).expect("a certificate").pem(), key.serialize_pem())
    }

    /// Writes a file beside the others.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    /// The file of its own certificate.
    pub fn roots(&self) -> PathBuf {
        self.file("roots.pem", &self.pem)
    }

    /// TLS on a free port of loopback, for `localhost` and the address; callers need a certificate of `callers`.
    pub fn tls(&self, callers: Option<&Self>) -> TlsConfig {
        let (certificate, key) = self.certificate(&["localhost", "127.0.0.1"]);
        TlsConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            certificate: self.file("certificate.pem", &certificate),
            key: self.file("key.pem", &key),
            client_roots: callers.map(Self::roots),
            server_roots: Some(self.roots()),
        }
    }
}
