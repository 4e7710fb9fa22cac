//! TLS: certificates from files, who is believed, handshakes (RFC 3261 26.2, RFC 5922, RFC 8446).
//! Not here: the TCP connections beneath (`tcp`).

use crate::agent::lock;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// A handshake that takes longer is given up.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// SIP over TLS. The files are PEM; they are read again when they change.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// Where TLS is listened on, also the Contact we give over it; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Our certificate and those between it and its root, ours first: for servers we are and servers we call.
    pub certificate: PathBuf,
    /// Its private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
    /// Whose certificates a caller must have (mutual TLS); `None` asks for none.
    pub client_roots: Option<PathBuf>,
    /// Whose certificates a server we call must have; `None` takes the system's.
    pub server_roots: Option<PathBuf>,
}

/// A file is no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("cannot read {path}: {why}")]
    File { path: PathBuf, why: String },
    #[error("{path} holds no certificate")]
    Empty { path: PathBuf },
    #[error("the system has no root certificates")]
    NoRoots,
    #[error("certificate {certificate} and key {key}: {why}")]
    Unfit { certificate: PathBuf, key: PathBuf, why: String },
}

impl From<TlsError> for std::io::Error {
    fn from(error: TlsError) -> Self {
        Self::other(error)
    }
}

/// What is needed for handshakes.
pub(super) struct Tls {
    config: TlsConfig,
    loaded: Mutex<Loaded>,
}

#[derive(Clone)]
struct Loaded {
    /// When the files were changed last, in the order of `files`.
    changed: Vec<Option<SystemTime>>,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Tls {
    pub fn load(config: TlsConfig) -> Result<Self, TlsError> {
        let loaded = load(&config, changes(&config))?;
        Ok(Self { config, loaded: Mutex::new(loaded) })
    }

    /// The handshake with a peer that connected.
    pub async fn accept(&self, stream: TcpStream) -> std::io::Result<server::TlsStream<TcpStream>> {
        within_time(self.current().acceptor.accept(stream)).await
    }

    /// The handshake with a server, whose certificate must be for `name`: a host name or an IP address.
    pub async fn connect(&self, name: &str, stream: TcpStream) -> std::io::Result<client::TlsStream<TcpStream>> {
        let name = ServerName::try_from(name).map_err(std::io::Error::other)?.to_owned();
        within_time(self.current().connector.connect(name, stream)).await
    }

    /// What was read last; read again if a file has changed. Files that are no use change nothing.
    fn current(&self) -> Loaded {
        let changed = changes(&self.config);
        let mut loaded = lock(&self.loaded);
        if loaded.changed != changed {
            match load(&self.config, changed.clone()) {
                Ok(fresh) => {
                    tracing::info!(certificate = %self.config.certificate.display(), "TLS certificates read again");
                    *loaded = fresh;
                }
                Err(error) => {
                    tracing::warn!(%error, "TLS certificates have changed and are no use; the old ones stay");
                    loaded.changed = changed;
                }
            }
        }
        loaded.clone()
    }
}

async fn within_time<T>(handshake: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
    tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake)
        .await
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
}

fn files(config: &TlsConfig) -> impl Iterator<Item = &Path> {
    [Some(&config.certificate), Some(&config.key), config.client_roots.as_ref(), config.server_roots.as_ref()]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
}

fn changes(config: &TlsConfig) -> Vec<Option<SystemTime>> {
    files(config).map(|file| std::fs::metadata(file).and_then(|meta| meta.modified()).ok()).collect()
}

fn load(config: &TlsConfig, changed: Vec<Option<SystemTime>>) -> Result<Loaded, TlsError> {
    // Named, because another part of the program may bring another one and rustls then knows no default.
    let provider = Arc::new(ring::default_provider());
    let unfit = |why: String| TlsError::Unfit { certificate: config.certificate.clone(), key: config.key.clone(), why };
    let chain = certificates(&config.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&config.key)
        .map_err(|why| TlsError::File { path: config.key.clone(), why: why.to_string() })?;
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit(error.to_string()))?;
    let server = match &config.client_roots {
        Some(path) => server.with_client_cert_verifier(callers(path, provider.clone())?),
        None => server.with_no_client_auth(),
    }
    .with_single_cert(chain.clone(), key.clone_key())
    .map_err(|error| unfit(error.to_string()))?;
    let servers = match &config.server_roots {
        Some(path) => roots(path)?,
        None => system_roots()?,
    };
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit(error.to_string()))?
        .with_root_certificates(servers)
        .with_client_auth_cert(chain, key)
        .map_err(|error| unfit(error.to_string()))?;
    Ok(Loaded { changed, acceptor: Arc::new(server).into(), connector: Arc::new(client).into() })
}

/// Wants a certificate of every caller.
fn callers(
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn tokio_rustls::rustls::server::danger::ClientCertVerifier>, TlsError> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider)
        .build()
        .map_err(|error| TlsError::File { path: path.to_owned(), why: error.to_string() })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |why: String| TlsError::File { path: path.to_owned(), why };
    let read = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    let found = read.collect::<Result<Vec<_>, _>>().map_err(|error| failed(error.to_string()))?;
    if found.is_empty() { Err(TlsError::Empty { path: path.to_owned() }) } else { Ok(found) }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|error| TlsError::File { path: path.to_owned(), why: error.to_string() })?;
    }
    Ok(store)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() { Err(TlsError::NoRoots) } else { Ok(store) }
}
